"""What batches are made of: a source of records, each of these on its way into a batch, and the batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from netcli.arrays.device import ALIGNMENT, Upload
from netcli.arrays.layout import Shape, count_of, view
from netcli.sources.image_cache import ImageCache
from netcli.sources.image_file import Needs


class Source(Protocol):
    """Records in order, the same number in each epoch."""

    def __len__(self) -> int:
        """Records in an epoch."""

    def fetch(self, epoch: int, index: int) -> Any:
        """What is stored of record `index` of an epoch; by one thread at a time."""

    def decode(self, fetched: Any, need: Needs | None) -> tuple[Any, int]:
        """(image (C, H, W) uint8 or float32, label) of what was fetched; raises DataError, which names it.

        By any number of threads.  need: see `decode_image`
        """

    def name(self, epoch: int, index: int) -> str:
        """The record in words, for a sentence."""

    def close(self) -> None: ...


class Parts(NamedTuple):
    """What a batch holds, in memory of the host or of a device.

    images  (N, C, H, W)
    labels  (N,)
    top, left, mirrored, less  None, or what `Ops.normalise_batch` is still to do to the images; less: None, or (N, L)
    """

    images: Any
    labels: Any
    top: Any
    left: Any
    mirrored: Any
    less: Any


@dataclass(frozen=True)
class Form:
    """How a batch lies in one stretch of memory.

    shape    (N, C, h, w) of the images when all is done, channels-last
    dtype    of them, and of the labels
    records  None; or (C, H, W), where the images are bytes that a device is still to transform
    planes   the records lie channel by channel
    less     L; 0: none
    """

    shape: Shape
    dtype: np.dtype[Any]
    records: Shape | None = None
    planes: bool = False
    less: int = 0

    def _arrays(self) -> list[tuple[Shape, Any] | None]:
        count = self.shape[:1]
        if self.records is None:
            return [(self.shape, self.dtype), (count, self.dtype), None, None, None, None]
        windows = [(count, np.int32), (count, np.int32), (count, np.bool_)]
        less = ((*count, self.less), self.dtype) if self.less else None
        return [((*count, *self.records), np.uint8), (count, self.dtype), *windows, less]

    @property
    def nbytes(self) -> int:
        return sum(_nbytes(*each) for each in self._arrays() if each is not None)

    def parts(self, memory: Any) -> Parts:
        """Flat memory of bytes, `nbytes` or more, as the parts of a batch."""
        parts: list[Any] = []
        begin = 0
        for each in self._arrays():
            if each is None:
                parts.append(None)
                continue
            shape, dtype = each
            flat = memory[begin : begin + count_of(shape) * np.dtype(dtype).itemsize].view(dtype)
            parts.append(view(flat, shape, not self.planes))
            begin += _nbytes(shape, dtype)
        return Parts(*parts)


def _nbytes(shape: Shape, dtype: Any) -> int:
    """Of an array that others follow."""
    return -(-count_of(shape) * int(np.dtype(dtype).itemsize) // ALIGNMENT) * ALIGNMENT


@dataclass(eq=False)
class Batch:
    """One in memory of the host; upload: its copy to a device, to be waited for before anything in it is changed."""

    form: Form
    memory: Any
    parts: Parts = field(init=False)
    upload: Upload = field(default_factory=Upload)

    def __post_init__(self) -> None:
        self.parts = self.form.parts(self.memory)

    @property
    def flat(self) -> Any:
        """The images, in the order in which they lie."""
        return self.memory[: self.parts.images.nbytes].view(self.parts.images.dtype)


class Record(NamedTuple):
    """One to be decoded: its place in the batch and in the run, what is stored of it, and its random words."""

    item: int
    epoch: int
    number: int
    fetched: Any
    words: Any


class MisfitError(Exception):
    """An image that does not fit its batch or transform: the record, which the loading thread names, and the fault."""

    def __init__(self, record: Record, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.record, self.message, self.field = record, message, field


class UnevenError(Exception):
    """A record of a batch that travels as it is, of another size or type than the first."""


def cache_of(param: Any) -> ImageCache | None:
    """The cache that a layer's message asks for."""
    return ImageCache(param.cache_mib << 20) if param.cache else None
