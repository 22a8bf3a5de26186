"""What the layers that read records and transform them share: batches made ahead, and their position."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, ClassVar

from netcli.arrays.device import CPU
from netcli.arrays.layout import Shape, size_text
from netcli.arrays.threads import data_threads, thread_count
from netcli.augment.transform import Transform
from netcli.blob import Blob
from netcli.errors import DataError, NetcliError, ShapeError
from netcli.layers.base import Arity, Context, Layer
from netcli.layers.batch_maker import BatchMaker
from netcli.layers.records import Batch, Parts, Source
from netcli.layers.staging import ARRAYS, Staging
from netcli.snapshots import read_blob
from netcli.sources.prefetch import Prefetch

log = logging.getLogger("netcli")

HANDED_OVER = 1 << 20  # bytes of a batch from which on it is not copied: the layers behind have to look at new memory

MOVED = ("scale", "mean_file", "crop_size", "mirror")  # of DataParameter and the like; the upgrade moves those of V1


class BatchLayer(Layer):
    """Base of the layers that read batches of labelled images; for inheriting, not for use.

    A subclass gives `open_source` and, where they differ, `skip` and `make_transform`.

    Batches are made ahead in a thread that fetches what is stored; the records of one are decoded and transformed by
    `threads` of its message, or as many as compute.  A large batch becomes the top's memory, a small one is copied; to
    a card it is copied while that computes, see Note [Staging] in staging.py.

    Record i of the run is record (skip + i) mod n of a source of n.  The batch takes the shape of its first
    record, so that with a batch of one the images may vary in size.

    To a card go the records themselves where they are bytes of one size, crop, mirror, mean, scale and pca_jitter are
    all that is done to them, and floats of the result would be more bytes; the card does it by the same draws.
    """

    bottoms = 0
    tops: ClassVar[Arity] = (1, 2)
    is_source = True
    replays = False
    no_gradient: ClassVar[tuple[int, ...] | None] = None
    moved: ClassVar[tuple[str, ...]] = MOVED
    whole_records: ClassVar[bool] = (
        True  # whether records are images that all of transform_param is still to be done to
    )

    def open_source(self) -> Source:
        """Open what the records come from; `self.transform.color` says how to decode."""
        raise NotImplementedError(f"{type(self).__name__} has no source")

    def skip(self, _count: int) -> int:
        """Records passed over before the first, of a source of `_count`."""
        return 0

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__(param, context)
        self.batch_size: int = self.p.batch_size
        self._open = ExitStack()
        self._staging = None if context.device is CPU else Staging(context.device)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._tops = len(top)
        if self.p.batch_size < 1:
            raise ShapeError("batch_size must be at least 1", field=f"{self.param_field}.batch_size")
        if self.param.data_param.prefetch < 1:
            raise ShapeError("prefetch must be at least 1 batch", field="data_param.prefetch")
        for name in self.moved:
            if self.p.HasField(name):
                log.warning(
                    "layer '%s': %s in %s has no effect, as in Caffe; it stands in transform_param now",
                    self.name,
                    name,
                    self.param_field,
                )
        self.source = self.records()
        self._first = self.skip(len(self.source))
        self._given: Batch | None = None  # the one that is the tops' memory
        self._windows: Any = None if self._staging is None else self.transform.windows_of(self.ops)
        self._maker = BatchMaker(
            self.source,
            self.transform,
            self.batch_size,
            self.dtype,
            first=self._first,
            threads=self._threads(),
            device=self.context.device,
            sends_records=self._windows is not None,
        )
        self._open.callback(self._maker.close)
        self._feed = Prefetch(self._ahead, self.batch_size, self.param.data_param.prefetch)
        self._open.callback(self._feed.close)
        try:
            image = self._maker.begin()
        except NetcliError:
            self.close()
            raise
        self._image_shape = self._maker.first_form.shape[1:]
        self._cached_nbytes = len(self.source) * image.nbytes if getattr(self.p, "cache", False) else 0

    def records(self) -> Source:
        """The source, opened; by itself for who looks at the records and wants no batch.  `close` gives it back."""
        self.transform = self.make_transform()
        try:
            source = self.open_source()
        except NetcliError as fault:
            fault.field = fault.field or f"{self.param_field}.source"
            raise
        self._open.callback(source.close)
        return source

    def _threads(self) -> int:
        """Threads that decode and transform the records of a batch."""
        has = "threads" in self.p.DESCRIPTOR.fields_by_name and self.p.HasField("threads")
        return data_threads() or (self.p.threads if has else 0) or thread_count()

    def make_transform(self) -> Transform:
        """What is done to each image after it was read."""
        return Transform(
            self.param.transform_param,
            train=self.train,
            mean=self.mean_image(),
            find=self.find,
            dtype=self.dtype,
            ops=self.ops.of_host(),
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
            mean = read_blob(path, "mean file")
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
        shape = batch.form.shape
        if top[0].shape != shape:
            self._image_shape = shape[1:]
            top[0].reshape(shape)
        if self._staging is None:
            self._give(batch, top)
        else:
            with self._staging.of(batch) as there:
                self._transformed(there, top[0].data)
                if len(top) > 1:
                    top[1].data[...] = there.labels
            self._maker.take_back(batch)
        for _ in range(self.epoch() - before):
            log.info("Restarting data prefetching from start.")

    def _give(self, batch: Batch, top: Sequence[Blob]) -> None:
        """Let the tops hold a batch, on the CPU."""
        if batch.parts.images.nbytes >= HANDED_OVER and top[0].take_memory(batch.flat):
            if self._given is not None:
                self._maker.take_back(self._given)
            self._given = batch
        else:
            self._given = None  # the memory of one that was given stays the top's: it may be what is copied to
            top[0].data[...] = batch.parts.images
            self._maker.take_back(batch)
        if len(top) > 1:
            top[1].data[...] = batch.parts.labels

    def _transformed(self, there: Parts, out: Any) -> None:
        """Do on a device what is still to be done to a batch."""
        if there.top is None:
            out[...] = there.images
        else:
            self._windows.forward(there.images, there.top, there.left, there.mirrored, there.less, out)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Data have no gradient."""

    def untransformed(self, position: int) -> tuple[Any, Any]:
        """Image (C, H, W) and label of a record of the run, as the source has them; raises DataError.

        For those who bring images into the net by themselves, in one thread.
        """
        fetched = self.source.fetch(*divmod(self._first + position, len(self.source)))
        return self.source.decode(fetched, None)

    @property
    def ahead_nbytes(self) -> int:
        """Memory of the batches made ahead (a large one that was given is the top's), and of images that are kept."""
        batches: int = self.param.data_param.prefetch
        kept = min(self._cached_nbytes, self.p.cache_mib << 20) if self._cached_nbytes else 0
        return batches * self._maker.first_form.nbytes + kept

    @property
    def staged_nbytes(self) -> int:
        """Memory of a card that batches come to, see Note [Staging]; 0 on the CPU."""
        return 0 if self._staging is None else ARRAYS * self._maker.first_form.nbytes

    def position(self) -> int:
        return self._feed.position

    def seek(self, position: int) -> None:
        self._feed.seek(position)
        if self._staging is not None:
            self._staging.clear()

    def watch_reading(self, told: Callable[[float, float], None] | None) -> None:
        self._feed.told = told

    def close(self) -> None:
        self._open.close()
        if self._staging is not None:
            self._staging.clear()

    def epoch(self) -> int:
        """How often the source has been begun anew."""
        return (self._first + self._feed.position) // len(self.source)

    def _ahead(self, position: int) -> Batch:
        """The batch of a position, on its way to the device; in the thread that makes them ahead."""
        batch = self._maker.make(position)
        if self._staging is not None:
            self._staging.begin(batch)
        return batch
