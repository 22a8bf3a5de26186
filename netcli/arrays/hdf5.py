"""HDF5 files: arrays by their names.

h5py, an extra of netcli's, is imported here alone, and not before a file is read or written.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import numpy as np

from netcli.errors import NetcliError

SIGNATURE = b"\x89HDF\r\n\x1a\n"  # what a file begins with, unless something of another kind stands before it


class Hdf5Error(Exception):
    """What is wrong with a file, in words to follow its name."""


def require() -> Any:
    """The module h5py; raises NetcliError where it is not installed."""
    try:
        import h5py
    except ImportError:
        raise NetcliError("HDF5 files need h5py: pip install netcli[hdf5]") from None
    return h5py


@contextlib.contextmanager
def reading(path: str) -> Iterator[Any]:
    """The h5py.File at `path`; raises Hdf5Error where it can't be opened, or read in the body of the `with`."""
    try:
        with require().File(path, "r") as file:
            yield file
    except FileNotFoundError:
        raise Hdf5Error("is not there") from None
    except (OSError, RuntimeError, KeyError, ValueError) as fault:  # h5py has no exception of its own
        raise Hdf5Error(_words(fault)) from None


def _words(fault: Exception) -> str:
    """`HDF5 says "bad object header"`: an exception's inmost words are between parentheses, behind a translation."""
    if isinstance(fault, OSError) and fault.strerror and fault.errno:
        system = re.search(r"error message = '([^']*)'", fault.strerror)
        return f"can't be read: {system[1] if system else fault.strerror}"
    words = str(fault.args[0]) if fault.args else type(fault).__name__
    inmost = re.search(r"\((.*)\)", words)
    told = inmost[1] if inmost else words
    if "signature not found" in told:
        return "is not an HDF5 file"
    return f"is cut off or damaged: HDF5 says '{told}'"


def dataset(group: Any, name: str) -> Any:
    """The dataset `name` of a group, which holds numbers; raises Hdf5Error where there is none or it holds others."""
    found = group.get(name)
    where = f"{group.name.rstrip('/')}/{name}".lstrip("/")
    if not isinstance(found, require().Dataset):
        raise Hdf5Error(f"has no dataset '{where}'")
    if found.shape is None or found.dtype.kind not in "fiu":
        raise Hdf5Error(f"has a dataset '{where}' that holds no numbers")
    return found


def numbers(source: Any, dtype: Any = None) -> Any:
    """All of a dataset, C-contiguous, as `dtype`; None: float64 where it is stored so, float32 otherwise."""
    if dtype is None:
        dtype = np.float64 if source.dtype == np.float64 else np.float32
    try:
        array = np.empty(source.shape, dtype)
    except (MemoryError, ValueError):  # ValueError: more than there are addresses
        raise Hdf5Error(
            f"has a dataset '{source.name.lstrip('/')}' of {source.size:,} numbers, too many for this machine's memory"
        ) from None
    if array.size:
        source.read_direct(array)
    return array


@contextlib.contextmanager
def writing(stream: BinaryIO) -> Iterator[Any]:
    """An h5py.File to be written to an empty stream that can be read and moved in; raises what the stream raised.

    The oldest form that holds the content is written, which Caffe's HDF5 of 2014 reads; equal content makes
    equal files.
    """
    guarded = _Guarded(stream)
    try:
        with require().File(guarded, "w", libver="earliest") as file:
            yield file
    finally:
        if guarded.fault is not None:
            raise guarded.fault from None


class _Guarded:
    """A stream that keeps its first fault and then pretends to go on.

    HDF5 keeps in memory what it could not write and tries again when the interpreter ends, so it is not told.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.fault: BaseException | None = None

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        return self._stream.read(size)

    def write(self, data: Any) -> int:
        self._try(self._stream.write, data)
        return len(data)

    def truncate(self, size: int) -> int:
        self._try(self._stream.truncate, size)
        return size

    def flush(self) -> None:
        self._try(self._stream.flush)

    def _try(self, act: Callable[..., Any], *arguments: Any) -> None:
        if self.fault is None:
            try:
                act(*arguments)
            except BaseException as fault:
                self.fault = fault
