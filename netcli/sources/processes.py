"""Work done by this process and others beside it, its results in the order of what was asked.

For work in many small steps, whose threads would wait for Python's lock.  A worker is a Python begun anew, not a copy
of this one, whose threads and their locks a copy would have halfway.  It keeps nothing, and ends when its pipe does:
however this process ends, no worker outlives it.
"""

from __future__ import annotations

import contextlib
import fcntl
import pickle
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, TypeVar

from netcli.errors import DataError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # blocks for each process that are under way or wait for their turn
PIPE = 1 << 20  # bytes of results that wait in a pipe, where the system lets them


class _Worker(Generic[Item, Result]):
    """A process that does blocks of work one after another.

    asked   blocks that it has still to hand back
    done    results that wait for their turn
    ready   whether it takes blocks yet
    """

    def __init__(self, work: Callable[[list[Item]], Result]) -> None:
        self.asked, self.ready = 0, False
        self.done: deque[Result] = deque()
        # What is imported there is what is imported here.  Ctrl-C is for this process, so its session is another.
        code = f"import sys; sys.path[:] = {sys.path!r}; from netcli.sources.process_worker import main; main()"
        try:
            self._process: subprocess.Popen[bytes] = subprocess.Popen(
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,
            )
        except OSError as fault:
            raise DataError(f"a worker process can't be started: {fault.strerror}") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._asking, self.results = self._process.stdin, self._process.stdout
        with contextlib.suppress(AttributeError, OSError):  # which not all systems have, nor for as many
            fcntl.fcntl(self.results, fcntl.F_SETPIPE_SZ, PIPE)
        self._send(work)

    def ask(self, block: list[Item]) -> None:
        self.asked += 1
        self._send(block)

    def _send(self, what: Any) -> None:
        left = memoryview(pickle.dumps(what, pickle.HIGHEST_PROTOCOL))
        with contextlib.suppress(BrokenPipeError):  # it has ended, which is told of where its results are missed
            while left:
                left = left[self._asking.write(left) :]

    def receive(self) -> None:
        """Take what it hands back: that it is ready, then its results."""
        result = pickle.loads(self._read(int.from_bytes(self._read(8), "little")))
        if not self.ready:
            self.ready = True
            return
        self.asked -= 1
        self.done.append(result)

    def _read(self, count: int) -> bytearray:
        content = bytearray(count)
        left = memoryview(content)
        while left:
            found = self.results.readinto(left)  # type: ignore[attr-defined]  # a pipe without a buffer has it
            if not found:
                code = self._process.wait()
                how = f"with status {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
                raise DataError(f"a worker process was ended {how} before its work was done")
            left = left[found:]
        return content

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._asking.close()
        self.results.close()


def in_processes(
    work: Callable[[list[Item]], Result], blocks: Iterable[list[Item]], processes: int
) -> Generator[Result, None, None]:
    """work(block) for each of the blocks, in their order.

    work        can be pickled, as its blocks and results can; it is done here too, where nothing else is to do
    blocks      are taken from a few ahead
    processes   this one among them
    Raises DataError where a worker can't be started or is ended by others; an exception in one ends it.
    """
    left = iter(blocks)
    workers: list[_Worker[Item, Result]] = []
    order: deque[deque[Result]] = deque()  # for each block that is under way, in their order: where its result will be
    try:
        with selectors.DefaultSelector() as watched:
            for _ in range(processes - 1):
                workers.append(_Worker(work))
                watched.register(workers[-1].results, selectors.EVENT_READ, workers[-1])
            own: deque[Result] = deque()
            while True:
                for worker in workers:
                    while worker.ready and worker.asked < AHEAD and len(order) < AHEAD * processes:
                        if (block := next(left, None)) is None:
                            break
                        worker.ask(block)
                        order.append(worker.done)
                if order and order[0]:
                    yield order.popleft().popleft()
                    continue
                block = next(left, None) if len(order) < AHEAD * processes else None
                if block is not None:
                    own.append(work(block))
                    order.append(own)
                elif not order:
                    return
                # With work of its own there is no waiting for others'.
                for key, _ in watched.select(0 if block is not None else None):
                    key.data.receive()
    finally:
        for worker in workers:
            worker.end()
