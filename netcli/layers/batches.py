"""What the layers that read records and transform them share: batches made ahead, and their position."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from netcli.arrays.layout import Shape, count_of, size_text, view
from netcli.augment.transform import Transform
from netcli.blob import Blob
from netcli.errors import DataError, NetcliError, ShapeError
from netcli.layers.base import Arity, Context, Layer
from netcli.snapshots import read_blob
from netcli.sources.prefetch import Prefetch

log = logging.getLogger("netcli")

MOVED = ("scale", "mean_file", "crop_size", "mirror")  # of DataParameter and the like; the upgrade moves those of V1


class Source(Protocol):
    """Records in order, the same number in each epoch."""

    def __len__(self) -> int:
        """Records in an epoch."""

    def record(self, epoch: int, index: int) -> tuple[Any, int]:
        """(image (C, H, W) uint8 or float32, label) of record `index` of an epoch; raises DataError, which names it."""

    def name(self, epoch: int, index: int) -> str:
        """The record in words, for a sentence."""

    def close(self) -> None: ...


@dataclass
class Batch:
    """Images (N, C, H, W), channels-last, and labels (N,)."""

    data: Any
    labels: Any


class BatchLayer(Layer):
    """Base of the layers that read batches of labelled images; for inheriting, not for use.

    A subclass gives `open_source` and, where they differ, `skip` and `make_transform`.

    Record i of the run is record (skip + i) mod n of a source of n.  The batch takes the shape of its first
    record, so that with a batch of one the images may vary in size.
    """

    bottoms = 0
    tops: ClassVar[Arity] = (1, 2)
    is_source = True
    no_gradient: ClassVar[tuple[int, ...] | None] = None
    moved: ClassVar[tuple[str, ...]] = MOVED

    def open_source(self) -> Source:
        """Open what the records come from; `self.transform.color` says how to decode."""
        raise NotImplementedError(f"{type(self).__name__} has no source")

    def skip(self, _count: int) -> int:
        """Records passed over before the first, of a source of `_count`."""
        return 0

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__(param, context)
        self._open = ExitStack()

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._tops = len(top)
        if self.p.batch_size < 1:
            raise ShapeError("batch_size must be at least 1", field=f"{self.param_field}.batch_size")
        if self.param.data_param.prefetch < 1:
            raise ShapeError("prefetch must be at least 1 batch", field="data_param.prefetch")
        self.batch_size: int = self.p.batch_size
        for name in self.moved:
            if self.p.HasField(name):
                log.warning(
                    "layer '%s': %s in %s has no effect, as in Caffe; it stands in transform_param now",
                    self.name,
                    name,
                    self.param_field,
                )
        self.transform = self.make_transform()
        try:
            self.source = self.open_source()
        except NetcliError as fault:
            fault.field = fault.field or f"{self.param_field}.source"
            raise
        self._open.callback(self.source.close)
        self._first = self.skip(len(self.source))
        self._free: deque[Batch] = deque()
        self._feed = Prefetch(self._load, self.batch_size, self.param.data_param.prefetch)
        self._open.callback(self._feed.close)
        try:
            _, self._image_shape = self._transformed(*divmod(self._first, len(self.source)))
        except NetcliError:
            self.close()
            raise

    def make_transform(self) -> Transform:
        """What is done to each image after it was read."""
        return Transform(
            self.param.transform_param,
            train=self.train,
            mean=self.mean_image(),
            find=self.find,
            dtype=self.dtype,
            ops=self.ops,
            seed=self.context.seed,
            purpose=f"transform {self.name} {'train' if self.train else 'test'}",
        )

    def mean_image(self) -> Any:
        """The content of mean_file, (C, H, W), or None."""
        param = self.param.transform_param
        if not param.HasField("mean_file"):
            return None
        path = self.find(param.mean_file)
        try:
            mean = read_blob(path)
        except NetcliError as fault:
            raise DataError(f"mean_file {path}: {fault.message}", field="transform_param.mean_file") from None
        shape = mean.shape[1:] if mean.ndim == 4 and mean.shape[0] == 1 else mean.shape
        if len(shape) != 3:
            raise ShapeError(
                f"{path} holds an array of {size_text(mean.shape)}; a mean image is CxHxW or 1xCxHxW",
                field="transform_param.mean_file",
            )
        return mean.reshape(shape)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        shapes = [(self.batch_size, *self._image_shape), (self.batch_size,)]
        return shapes[: self._tops]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        before = self.epoch()
        batch = self._feed.next()
        for blob, array in zip(top, (batch.data, batch.labels), strict=False):
            if blob.shape != array.shape:
                self._image_shape = array.shape[1:]
                blob.reshape(array.shape)
            blob.data[...] = array
        self._free.append(batch)
        for _ in range(self.epoch() - before):
            log.info("Restarting data prefetching from start.")

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Data have no gradient."""

    def untransformed(self, position: int) -> tuple[Any, Any]:
        """Image (C, H, W) and label of a record of the run, as the source has them; raises DataError.

        For those who bring images into the net by themselves, in one thread.
        """
        return self.source.record(*divmod(self._first + position, len(self.source)))

    @property
    def ahead_nbytes(self) -> int:
        """Memory of the batches made ahead, and of the one that is being handed over."""
        batches: int = self.param.data_param.prefetch + 1
        of_image = count_of(self._image_shape) + 1  # and its label
        return batches * self.batch_size * of_image * int(np.dtype(self.dtype).itemsize)

    def position(self) -> int:
        return self._feed.position

    def seek(self, position: int) -> None:
        self._feed.seek(position)

    def close(self) -> None:
        self._open.close()

    def epoch(self) -> int:
        """How often the source has been begun anew."""
        return (self._first + self._feed.position) // len(self.source)

    # -- in the prefetching thread

    def _load(self, position: int) -> Batch:
        """The batch of records position .. position + batch_size - 1 of the run."""
        batch: Batch | None = None
        count = len(self.source)
        item = 0
        while item < self.batch_size:
            epoch, first = divmod(self._first + position + item, count)
            run = min(self.batch_size - item, count - first)
            draws = self.transform.draws(epoch, first, run)
            for index in range(first, first + run):
                (image, label), shape = self._transformed(epoch, index)
                if batch is None:
                    batch = self._empty(shape)
                elif shape != batch.data.shape[1:]:
                    raise DataError(
                        f"{self.source.name(epoch, index)} is {size_text(shape)}, the first of its batch is "
                        f"{size_text(batch.data.shape[1:])}; images of several sizes need crop_size or batch_size 1"
                    )
                self.transform(image, None if draws is None else draws[index - first], batch.data[item])
                batch.labels[item] = label
                item += 1
        assert batch is not None
        return batch

    def _transformed(self, epoch: int, index: int) -> tuple[tuple[Any, int], Shape]:
        """A record, and the shape it will have; raises DataError where the transform does not fit it."""
        record = self.source.record(epoch, index)
        try:
            return record, self.transform.shape(record[0].shape)
        except ShapeError as fault:
            raise DataError(f"{self.source.name(epoch, index)}: {fault.message}", field=fault.field) from None

    def _empty(self, shape: Shape) -> Batch:
        """A batch to fill, from those given back where one has the shape."""
        shape = (self.batch_size, *shape)
        while self._free:
            batch = self._free.popleft()
            if batch.data.shape == shape:
                return batch
        flat = np.empty(count_of(shape), self.dtype)
        return Batch(view(flat, shape, True), np.empty(self.batch_size, self.dtype))
