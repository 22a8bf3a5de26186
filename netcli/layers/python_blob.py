"""Blobs as pycaffe shows them: to users' Python layers, and to programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from typing import Any, overload

import numpy as np

from netcli.arrays.layout import Shape
from netcli.blob import Blob


class PythonBlob:
    """A blob: `data` and `diff` are C-contiguous NumPy arrays, and what is written to them is in the blob.

    Both are views of the net's memory, the same at each look until the blob takes another shape.  In a Python layer
    they are good until the verb that was called returns: other blobs may lie there then.
    A blob that nobody looks at stays in the net's own order (Note [Channels last] in arrays/layout.py); one that
    has been looked at costs the layers beside it a copy from then on.
    """

    __slots__ = ("_blob",)

    def __init__(self, blob: Blob) -> None:
        self._blob = blob

    @property
    def data(self) -> Any:
        return self._blob.show_data()

    @property
    def diff(self) -> Any:
        return self._blob.show_diff()

    @property
    def shape(self) -> Shape:
        return self._blob.shape

    @property
    def count(self) -> int:
        return self._blob.count

    def reshape(self, *shape: int) -> None:
        """Take another shape: `top[0].reshape(2, 3)`; none given: a scalar."""
        sizes = tuple(index(size) for size in shape)
        if any(size < 0 for size in sizes):
            raise ValueError(f"a blob can't have the shape {sizes}")
        self._blob.reshape(sizes)

    def _axis(self, axis: int) -> int:
        """The length of an axis under its old name; 1 beyond the last."""
        shape = self.shape
        if len(shape) > 4:
            raise ValueError(f"num, channels, height and width are of blobs of up to 4 axes, this one is {shape}")
        return shape[axis] if axis < len(shape) else 1

    @property
    def num(self) -> int:
        return self._axis(0)

    @property
    def channels(self) -> int:
        return self._axis(1)

    @property
    def height(self) -> int:
        return self._axis(2)

    @property
    def width(self) -> int:
        return self._axis(3)

    def __repr__(self) -> str:
        return repr(self._blob)


class HostBlob(PythonBlob):
    """A blob on a card: `data` and `diff` are NumPy's copies, made at the first look, the same until `put_back`."""

    __slots__ = ("_data", "_diff")

    def __init__(self, blob: Blob) -> None:
        super().__init__(blob)
        self._data: tuple[Any, bytes] | None = None  # the copy, and what it held at first
        self._diff: tuple[Any, bytes] | None = None

    @property
    def data(self) -> Any:
        if self._data is None:
            self._data = _copied(self._blob.host_data())
        return self._data[0]

    @property
    def diff(self) -> Any:
        if self._diff is None:
            self._diff = _copied(self._blob.host_diff())
        return self._diff[0]

    def reshape(self, *shape: int) -> None:
        self.put_back()
        super().reshape(*shape)

    def put_back(self) -> None:
        """Write to the card what has been changed, and copy anew at the next look."""
        if self._data is not None and self._data[0].tobytes() != self._data[1]:
            self._blob.set_data(self._data[0])
        if self._diff is not None and self._diff[0].tobytes() != self._diff[1]:
            self._blob.device.write(self._blob.diff, self._diff[0])
        self._data = self._diff = None


def _copied(array: Any) -> tuple[Any, bytes]:
    copy = np.array(array, order="C")
    return copy, copy.tobytes()


class PythonBlobs(Sequence[PythonBlob]):
    """The parameters of a user's layer, its `self.blobs`; add: makes one of a shape."""

    def __init__(self, add: Callable[[Shape], PythonBlob]) -> None:
        self._add = add
        self._blobs: list[PythonBlob] = []

    def add_blob(self, *shape: int) -> None:
        """Another parameter, of zeros: `self.blobs.add_blob(20, 500)`; in `setup` only."""
        self._blobs.append(self._add(tuple(index(size) for size in shape)))

    @overload
    def __getitem__(self, at: int) -> PythonBlob: ...
    @overload
    def __getitem__(self, at: slice) -> list[PythonBlob]: ...
    def __getitem__(self, at: int | slice) -> PythonBlob | list[PythonBlob]:
        return self._blobs[at]

    def __len__(self) -> int:
        return len(self._blobs)
