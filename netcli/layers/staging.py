"""How batches come to a device while it still computes on the one before.

Note [Staging]: a batch that is made ahead lies in memory of the host that a card reads by itself.  Its copy is begun by
the thread that made it, as soon as one of two arrays of the card is free, beside the work that the card has: the copy
waits for what was asked of that array before, and what is asked for next waits for the copy.  So the copy of a batch
takes time only where it takes longer than a whole iteration.  Arrays are taken by the thread that computes alone:
the other never meets the card's memory, and never what is being recorded.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netcli.arrays.device import Device, Upload
from netcli.layers.records import Batch, Parts

ARRAYS = 2  # one is worked on while the next is filled


@dataclass(eq=False)
class Stage:
    """One array of the device; free_from: by `Device.fence`, what the last work on it was."""

    memory: Any
    free_from: Any
    upload: Upload = field(default_factory=Upload)


class Staging:
    """The arrays of one layer, taken when the first batch comes, and anew for a larger one."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._size = 0  # bytes of an array
        self._stages: list[Stage] = []
        self._free: deque[Stage] = deque()
        self._waiting: deque[Batch] = deque()  # made and not on their way, in the order of their use
        self._on_way: dict[Batch, Stage] = {}
        self._lock = threading.Lock()

    def begin(self, batch: Batch) -> None:
        """Copy a batch that is ready, now or when an array is free; by any thread, in the order of use."""
        with self._lock:
            self._waiting.append(batch)
            self._start()

    @contextmanager
    def of(self, batch: Batch) -> Iterator[Parts]:
        """The parts of a batch that was begun, on the device, while the context lasts; by the thread that computes."""
        with self._lock:
            if batch not in self._on_way:
                while self._waiting[0] is not batch:  # those before it were lost to an interruption
                    self._waiting.popleft()
                if not self._free or batch.memory.size > self._size:
                    self._take(batch.memory.size)
                self._start()
            stage = self._on_way.pop(batch)
        stage.upload.join()
        yield batch.form.parts(stage.memory)
        stage.free_from = self._device.fence()
        with self._lock:
            self._free.append(stage)
            self._start()

    def clear(self) -> None:
        """Forget the batches that were begun, when nothing of them is read any more."""
        with self._lock:
            for stage in self._stages:
                stage.upload.wait()
            self._waiting.clear()
            self._on_way.clear()
            self._free = deque(self._stages)

    def _take(self, size: int) -> None:
        memories = [self._device.empty(size, np.uint8) for _ in range(ARRAYS)]
        fence = self._device.fence()  # what had this memory before may still be at work
        self._size = size
        self._stages = [Stage(memory, fence) for memory in memories]
        self._free = deque(self._stages)

    def _start(self) -> None:
        while self._waiting and self._free and self._waiting[0].memory.size <= self._size:
            batch, stage = self._waiting.popleft(), self._free.popleft()
            batch.upload = stage.upload = self._device.upload(stage.memory, batch.memory, stage.free_from)
            self._on_way[batch] = stage
