"""Blobs as pycaffe shows them: to users' Python layers, and to programs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import index
from typing import Any, overload

from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.device import CPU
from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import NetcliError


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

    @property
    def _gpu_data_ptr(self) -> int:
        """The address of the data on the card, in Caffe's order from now on; the card is expected to write there.

        Raises NetcliError where the net computes on the CPU.
        """
        return self._address(self._blob.show_data)

    @property
    def _gpu_diff_ptr(self) -> int:
        """The same of the diff."""
        return self._address(self._blob.show_diff)

    def _address(self, show: Callable[[], Any]) -> int:
        device = self._blob.device
        if not isinstance(device, CudaDevice):
            raise NetcliError("the net computes on the CPU, so that its blobs have no address on a card")
        with device.current(), device.turn:
            address = device.pointer(show())
            device.synchronize()  # whoever uses it does so beside the card's own stream
        return address

    def __repr__(self) -> str:
        return repr(self._blob)


class MirroredBlob(PythonBlob):
    """A blob on a card: `data` and `diff` are its mirrors on the host, see Note [Mirrors] in arrays/mirror.py.

    Each look brings the card's values up to date in what was got before, and has the card get what is written to it.
    """

    __slots__ = ()

    @property
    def data(self) -> Any:
        return self._blob.mirror_data()

    @property
    def diff(self) -> Any:
        return self._blob.mirror_diff()


def blob_for_host(blob: Blob) -> PythonBlob:
    """What a program that works with NumPy gets of a blob."""
    return PythonBlob(blob) if blob.device is CPU else MirroredBlob(blob)


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
