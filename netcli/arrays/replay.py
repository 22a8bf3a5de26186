"""Work that a device records once and replays from then on.

Note [Replay]: an iteration asks a card for hundreds of small things, and asking takes the processor longer than the
card takes to do most of them.  So what a net's forward, its backward and a solver's step ask for is recorded when it
has been asked for twice (all memory is taken by then, and whatever is chosen by timing is chosen) and replayed from
then on: on a card of NVIDIA's as a CUDA graph.  What the host has to do each time stays outside: layers that bring
data in, and numbers that vary (arrays/varying.py), which the card reads where they lie.

A recording is good for as long as the arrays lie where they lay.  What the host keeps beside them, whether a gradient
is to be read as zeros, is part of what it is known by, and is set as the work would have set it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from netcli.arrays.device import Device

SETTLED = 2  # calls that are made without a recording

log = logging.getLogger("netcli")


class Replay:
    """The recordings of one kind of work.

    what     names it, in the sentence that tells that it can't be recorded
    buffers  whose `is_zero` the work reads and sets
    """

    def __init__(self, device: Device, what: str, buffers: Sequence[Any] = ()) -> None:
        self._device, self._what, self._buffers = device, what, buffers
        self._calls: dict[Hashable, int] = {}
        self._known: dict[Hashable, tuple[Callable[[], None], list[bool]]] = {}
        self._records = device.records

    def __call__(self, work: Callable[[], None]) -> None:
        """Do the work, which asks the same of the device each time."""
        if not self._records:
            work()
            return
        key = tuple(self._zeros())
        known = self._known.get(key)
        if known is not None:
            replay, zeros = known
            replay()
            self._set_zeros(zeros)
            return
        self._calls[key] = self._calls.get(key, 0) + 1
        if self._calls[key] <= SETTLED or not self._record(key, work):
            work()

    def _record(self, key: tuple[bool, ...], work: Callable[[], None]) -> bool:
        """Record and replay; False, and nothing done, where the device can't."""
        try:
            replay = self._device.record(work)
        except self._device.refusals as fault:
            self._set_zeros(key)
            self._records = False
            reason = (str(fault).splitlines() or [type(fault).__name__])[0]
            log.warning("%s can't be recorded, and is asked for anew each time: %s", self._what, reason)
            return False
        self._known[key] = replay, self._zeros()
        replay()
        return True

    def outdate(self) -> None:
        """The work reads other arrays from now on, in the same way: at the next call it is recorded anew."""
        self._known.clear()

    def forget(self) -> None:
        """Arrays lie elsewhere from now on."""
        self._calls.clear()
        self._known.clear()

    def _zeros(self) -> list[bool]:
        return [buffer.is_zero for buffer in self._buffers]

    def _set_zeros(self, zeros: Sequence[bool]) -> None:
        for buffer, is_zero in zip(self._buffers, zeros, strict=True):
            buffer.is_zero = is_zero
