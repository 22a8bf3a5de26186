"""Batches made ahead of their use, in order, by one thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

Batch = TypeVar("Batch")


class Prefetch(Generic[Batch]):
    """`next` gives load(0), load(step), load(2 * step) ..., of which up to `depth` are made in advance.

    load: makes the batch that begins at a position, in records; called in another thread, one at a time
    step: records in a batch

    What `load` raises is raised by `next`, when its turn comes and at every try after that, until a `seek`.
    Work begins at the first `next`.  At the interpreter's end an open one is waited for no longer than the
    batch in the making takes.
    """

    def __init__(self, load: Callable[[int], Batch], step: int, depth: int) -> None:
        if step < 1 or depth < 1:
            raise ValueError(f"step {step} and depth {depth} must be at least 1")
        self._load = load
        self._step = step
        self._depth = depth
        self._pending: deque[Future[Batch]] = deque()
        self._asked: deque[tuple[int, Future[Batch]]] = deque()  # not made yet, with their positions
        self._lock = threading.Lock()  # of _asked
        self._executor: ThreadPoolExecutor | None = ThreadPoolExecutor(1, thread_name_prefix="netcli prefetch")
        self.position = 0  # records given by `next` so far
        # Called after each load, in the thread, with the seconds of time.perf_counter at its beginning and its end.
        self.told: Callable[[float, float], None] | None = None

    def next(self) -> Batch:
        """The next batch, as soon as it is made."""
        if self._executor is None:
            raise ValueError("the prefetch is closed")
        while len(self._pending) < self._depth:
            start = self.position + len(self._pending) * self._step
            self._pending.append(self._ask(self._executor, start))
        # Popped only after it is there: a KeyboardInterrupt while waiting loses no batch.
        batch = self._pending[0].result()
        self._pending.popleft()
        self.position += self._step
        return batch

    def seek(self, position: int) -> None:
        """Go on with load(position); batches made ahead are dropped."""
        self._drop()
        self.position = position

    def close(self) -> None:
        """Stop the thread, after the batch it is at; harmless the second time."""
        if self._executor is not None:
            self._drop()
            self._executor.shutdown()
            self._executor = None

    def _ask(self, executor: ThreadPoolExecutor, start: int) -> Future[Batch]:
        """Have the batch at `start` made after those asked for before.

        The executor has one of them at a time: what it has, it finishes before the interpreter may end.
        """
        future: Future[Batch] = Future()
        with self._lock:
            if not self._asked:
                executor.submit(self._make, executor)
            self._asked.append((start, future))
        return future

    def _make(self, executor: ThreadPoolExecutor) -> None:
        """In the thread: make the batch that was asked for first, and see that the next one follows."""
        with self._lock:
            if not self._asked:  # a KeyboardInterrupt came between the two steps of _ask
                return
            start, future = self._asked[0]
        if future.set_running_or_notify_cancel():
            begin = time.perf_counter()
            try:
                batch = self._load(start)
            except BaseException as fault:  # raised by `next`
                future.set_exception(fault)
            else:
                told = self.told
                if told is not None:
                    told(begin, time.perf_counter())
                future.set_result(batch)
        with self._lock:
            self._asked.popleft()
            try:
                if self._asked:
                    executor.submit(self._make, executor)
            except RuntimeError:  # closed, or the interpreter ends: nobody should wait for the rest
                while self._asked:
                    self._asked.popleft()[1].cancel()

    def _drop(self) -> None:
        for future in self._pending:
            future.cancel()
        for future in self._pending:
            if not future.cancelled():
                future.exception()  # waits: two loads never run at once on one source
        self._pending.clear()
