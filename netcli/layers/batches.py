"""What the layers that read records and transform them share: batches made ahead, and their position."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from netcli.arrays.device import CPU
from netcli.arrays.layout import Shape, size_text
from netcli.arrays.threads import data_threads, thread_count
from netcli.augment.transform import Transform
from netcli.blob import Blob
from netcli.errors import DataError, NetcliError, ShapeError
from netcli.layers.base import Arity, Context, Layer
from netcli.layers.records import Batch, Form, MisfitError, Parts, Record, Source, UnevenError
from netcli.layers.staging import Staging
from netcli.snapshots import read_blob
from netcli.sources.prefetch import Prefetch

log = logging.getLogger("netcli")

PART = 8  # records that a thread takes at a time
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
        self._free: deque[Batch] = deque()
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
        workers = self._workers()
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="netcli decode") if workers > 1 else None
        if self._pool is not None:
            self._open.callback(self._pool.shutdown)
        self._windows: Any = None if self._staging is None else self.transform.windows_of(self.ops)
        self._sends_records = self._windows is not None
        self._feed = Prefetch(self._ahead, self.batch_size, self.param.data_param.prefetch)
        self._open.callback(self._feed.close)
        try:
            epoch, index = divmod(self._first, len(self.source))
            record = self._records(epoch, index, 1, 0)[0]
            (image, _), self._image_shape = self._in_turn(self._decoded, record)
            self._first_form = self._form(image, self._image_shape)
            self._cached_nbytes = len(self.source) * image.nbytes if getattr(self.p, "cache", False) else 0
        except NetcliError:
            self.close()
            raise

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

    def _workers(self) -> int:
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
            self._free.append(batch)
        for _ in range(self.epoch() - before):
            log.info("Restarting data prefetching from start.")

    def _give(self, batch: Batch, top: Sequence[Blob]) -> None:
        """Let the tops hold a batch, on the CPU."""
        if batch.parts.images.nbytes >= HANDED_OVER and top[0].take_memory(batch.flat):
            if self._given is not None:
                self._free.append(self._given)
            self._given = batch
        else:
            self._given = None  # the memory of one that was given stays the top's: it may be what is copied to
            top[0].data[...] = batch.parts.images
            self._free.append(batch)
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
        return batches * self._first_form.nbytes + kept

    def position(self) -> int:
        return self._feed.position

    def seek(self, position: int) -> None:
        self._feed.seek(position)
        if self._staging is not None:
            self._staging.clear()

    def close(self) -> None:
        self._open.close()
        if self._staging is not None:
            self._staging.clear()

    def epoch(self) -> int:
        """How often the source has been begun anew."""
        return (self._first + self._feed.position) // len(self.source)

    # -- in the prefetching thread

    def _ahead(self, position: int) -> Batch:
        """The batch of a position, on its way to the device."""
        try:
            batch = self._load(position)
        except UnevenError:
            self._sends_records = False  # floats of the same values from now on
            batch = self._load(position)
        if self._staging is not None:
            self._staging.begin(batch)
        return batch

    def _load(self, position: int) -> Batch:
        """The batch of records position .. position + batch_size - 1 of the run."""
        count = len(self.source)
        batch: Batch | None = None
        parts: list[Future[None]] = []
        item = 0
        try:
            while item < self.batch_size:
                epoch, index = divmod(self._first + position + item, count)
                run = min(1 if batch is None else PART, self.batch_size - item, count - index)
                records = self._records(epoch, index, run, item)
                item += run
                if batch is None:
                    image, shape = self._in_turn(self._decoded, records[0])
                    batch = self._empty(self._form(image[0], shape))
                    self._put(batch, records[0], image)
                elif self._pool is None:
                    self._in_turn(self._fill, batch, records)
                else:
                    parts.append(self._pool.submit(self._fill, batch, records))
        finally:
            wait(parts)  # they write to the batch, and look at what was fetched
            for part in parts:  # what is wrong with them comes before a later record that could not be fetched
                self._in_turn(part.result)
        assert batch is not None
        return batch

    def _records(self, epoch: int, first: int, count: int, item: int) -> list[Record]:
        """Some of an epoch, fetched, from a place of the batch on."""
        draws = self.transform.draws(epoch, first, count)
        return [
            Record(item + i, epoch, first + i, self.source.fetch(epoch, first + i), None if draws is None else draws[i])
            for i in range(count)
        ]

    def _in_turn(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Call it, and raise what does not fit as a DataError that names the record."""
        try:
            return work(*arguments)
        except MisfitError as fault:
            name = self.source.name(fault.record.epoch, fault.record.number)
            raise DataError(f"{name}{fault.message}", field=fault.field) from None

    def _form(self, image: Any, shape: Shape) -> Form:
        """Of a batch whose first record is `image`, and of `shape` when it is transformed."""
        whole = Form((self.batch_size, *shape), np.dtype(self.dtype))
        if not self._sends_records or image.dtype != np.uint8:
            return whole
        records = replace(whole, records=image.shape, planes=image.flags.c_contiguous, less=self.transform.less_count)
        return min(records, whole, key=lambda form: form.nbytes)

    def _empty(self, form: Form) -> Batch:
        """A batch to fill, from those given back where one has the form."""
        while self._free:
            batch = self._free.popleft()
            batch.upload.wait()
            if batch.form == form:
                return batch
        return Batch(form, self.context.device.host_memory(form.nbytes, np.uint8))

    # -- in any thread

    def _fill(self, batch: Batch, records: Sequence[Record]) -> None:
        """Decode and transform records into their places."""
        for record in records:
            image, shape = self._decoded(record)
            form = batch.form
            if form.records is not None and (image[0].shape != form.records or image[0].dtype != np.uint8):
                raise UnevenError
            if shape != form.shape[1:]:
                raise MisfitError(
                    record,
                    f" is {size_text(shape)}, the first of its batch is {size_text(form.shape[1:])}; images of "
                    "several sizes need crop_size or batch_size 1",
                )
            self._put(batch, record, image)

    def _decoded(self, record: Record) -> tuple[tuple[Any, int], Shape]:
        """(image, label) of a record, and the shape that the image will have."""
        image, label = self.source.decode(record.fetched, partial(self.transform.reduction, record.words))
        try:
            return (image, label), self.transform.shape(image.shape, image.dtype)
        except ShapeError as fault:
            raise MisfitError(record, f": {fault.message}", fault.field) from None

    def _put(self, batch: Batch, record: Record, image: tuple[Any, int]) -> None:
        parts, item = batch.parts, record.item
        parts.labels[item] = image[1]
        if parts.top is None:
            self.transform(image[0], record.words, parts.images[item])
            return
        parts.images[item] = image[0]
        parts.top[item], parts.left[item], parts.mirrored[item] = self.transform.window(
            record.words, *image[0].shape[1:]
        )
        if parts.less is not None:
            parts.less[item] = self.transform.less(record.words)
