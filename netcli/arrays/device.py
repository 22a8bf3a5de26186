"""Where arrays live: the module that makes them, and how memory is taken there."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import numpy as np

ALIGNMENT = 64  # bytes: a cache line, and what AVX-512 loads whole


class Upload:
    """A copy from the host to a device that may be under way; here it is done."""

    def wait(self) -> None:
        """Return when the host's values may change."""

    def join(self) -> None:
        """Have what the device is asked for from now on come after the copy."""


class Device:
    """The CPU, and what every other device answers.

    xp     the module whose functions serve its arrays (NumPy)
    rooms  below netcli.arrays, whose bodies of ops compute on it
    """

    name = "cpu"
    title = "the CPU"  # in sentences
    records = False  # whether it has `record`
    refusals: tuple[type[Exception], ...] = ()  # what `record` raises where work can't be recorded
    xp: Any = np
    rooms: ClassVar[frozenset[str]] = frozenset({"onednn", "compiled", "plain"})
    # To be held while work is asked for that no other thread's may come between: a pass, an update, a transfer.
    turn: AbstractContextManager[Any] = contextlib.nullcontext()

    def current(self) -> AbstractContextManager[Any]:
        """What a thread works with the device in, if it may not be the one that made it; here any may at any time."""
        return contextlib.nullcontext()

    def aside(self) -> AbstractContextManager[Any]:
        """Somebody else's code runs in it, which may wait for other threads: they may have the turn meanwhile."""
        return contextlib.nullcontext()

    def empty(self, count: int, dtype: Any) -> Any:
        """A flat array of `count` items on a 64-byte boundary; its content is whatever was there."""
        return self._aligned(np.empty, count, np.dtype(dtype))

    def zeros(self, count: int, dtype: Any) -> Any:
        """The same of zeros; the system gives pages when they are first written, so what is not used costs nothing."""
        return self._aligned(np.zeros, count, np.dtype(dtype))

    @staticmethod
    def _aligned(make: Callable[[int, Any], Any], count: int, dtype: np.dtype[Any]) -> Any:
        raw = make(count * dtype.itemsize + ALIGNMENT, np.uint8)
        start = -raw.ctypes.data % ALIGNMENT
        return raw[start : start + count * dtype.itemsize].view(dtype)

    def to_host(self, array: Any) -> Any:
        """NumPy's array of the same values: here the array itself."""
        return array

    def from_host(self, array: Any) -> Any:
        """This device's array of the values of NumPy's: here the array itself."""
        return array

    def write(self, array: Any, value: Any) -> None:
        """Put a number, or NumPy's array of the same shape and type, into an array, in turn with what else is done.

        The value may change on return; for an array's a card is waited for.
        """
        array[...] = value

    def fetch(self, array: Any, values: Any) -> None:
        """Copy an array to NumPy's of the same shape and type, C-contiguous; the values are there on return."""
        values[...] = array

    def send(self, array: Any, values: Any) -> None:
        """Copy NumPy's array, C-contiguous, to one of the same shape and type; the values may change on return."""
        array[...] = values

    def host_memory(self, count: int, dtype: Any) -> Any:
        """A flat array of NumPy's for what is to be sent here; its content is whatever was there."""
        return Device.empty(self, count, dtype)

    def fence(self) -> Any:
        """The work that was asked for so far, as `upload` takes it; by the thread that computes."""
        return None

    def upload(self, array: Any, values: Any, after: Any) -> Upload:
        """Copy a flat array of `host_memory` to the first items of a flat array of the same type, by any thread.

        The copy comes after the work of a `fence`, and goes on beside all that came later; nobody waits for it but who
        asks what is returned to.
        """
        array[: values.size] = values
        return Upload()

    def synchronize(self) -> None:
        """Wait until all that was asked for is done: here it is."""

    def mark(self) -> Any:
        """A moment between what was asked for before and what is asked for then, for `between`."""
        return time.perf_counter()

    def between(self, start: Any, end: Any) -> float:
        """Seconds from one mark to a later one; waits until that is reached."""
        return float(end - start)

    def named(self, _name: str) -> AbstractContextManager[Any]:
        """What is asked for in it has a name for programs that look on: here none does."""
        return contextlib.nullcontext()

    def gemm(self, a: Any, b: Any, c: Any) -> None:
        """c = a b: (m, k), (k, n) and (m, n), each C-contiguous or the transpose of what is."""
        np.matmul(a, b, out=c)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Do nothing of the work, and return what does all of it each time it is called; see arrays/replay.py.

        Work that takes memory for good, reads something back or brings something from the host raises a refusal.
        """
        raise NotImplementedError

    def usable_by_kernels(self, array: Any) -> bool:
        """Whether compiled kernels take the memory of an array as it is."""
        return bool(array.flags.aligned and array.flags.writeable)


CPU = Device()
