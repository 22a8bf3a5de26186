"""What batches are made of: a source of records, each of these on its way into a batch, and the batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from netcli.arrays.device import done
from netcli.sources.image_cache import ImageCache
from netcli.sources.image_file import Reduction


class Source(Protocol):
    """Records in order, the same number in each epoch."""

    def __len__(self) -> int:
        """Records in an epoch."""

    def fetch(self, epoch: int, index: int) -> Any:
        """What is stored of record `index` of an epoch; by one thread at a time."""

    def decode(self, fetched: Any, reduction: Reduction | None) -> tuple[Any, int]:
        """(image (C, H, W) uint8 or float32, label) of what was fetched; raises DataError, which names it.

        By any number of threads.  reduction: see `decode_image`
        """

    def name(self, epoch: int, index: int) -> str:
        """The record in words, for a sentence."""

    def close(self) -> None: ...


@dataclass
class Batch:
    """Images (N, C, H, W), channels-last in `flat`, and labels (N,).

    sent: to be called before the images are changed
    """

    flat: Any
    data: Any
    labels: Any
    sent: Callable[[], None] = done


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


def cache_of(param: Any) -> ImageCache | None:
    """The cache that a layer's message asks for."""
    return ImageCache(param.cache_mib << 20) if param.cache else None
