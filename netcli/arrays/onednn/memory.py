"""Memory that is not a blob's: what a plan keeps from forward to backward, and scratch that all plans share."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import numpy as np

from netcli.arrays.device import ALIGNMENT, CPU


def aligned(nbytes: int) -> int:
    """The next multiple of the alignment."""
    return -(-nbytes // ALIGNMENT) * ALIGNMENT


def address_of(array: Any) -> int:
    """Of its first item."""
    return int(array.__array_interface__["data"][0])


class Kept:
    """Memory of one plan, taken when first used: its content stays from forward to backward."""

    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes
        self._array: Any = None

    @property
    def address(self) -> int:
        if self._array is None:
            self._array = CPU.empty(self.nbytes, np.uint8)
        return address_of(self._array)


class Scratch:
    """One thread's scratch memory: as large as the hungriest of its plans, gone with the last of them.

    Nothing in it outlives a call of a plan's method.
    """

    def __init__(self) -> None:
        self.nbytes = 0
        self.address = 0
        self.version = 0  # another one for each place it has been at, since an address may come again
        self._array: Any = None

    def reserve(self, nbytes: int) -> None:
        """Make room for a program; the place changes where the room did not suffice."""
        if nbytes > self.nbytes:
            self.release()  # let go of the old before taking the new
            self._array = CPU.empty(nbytes, np.uint8)
            self.nbytes = nbytes
            self.address = address_of(self._array)

    def release(self) -> None:
        """Give the memory back; who executes next makes room for itself."""
        self._array = None
        self.nbytes = self.address = 0
        self.version += 1


_of_thread = threading.local()


def scratch() -> Scratch:
    """The scratch memory of this thread; it lives as long as somebody holds it."""
    reference = getattr(_of_thread, "scratch", None)
    found = None if reference is None else reference()
    if found is None:
        found = Scratch()
        _of_thread.scratch = weakref.ref(found)
    return found
