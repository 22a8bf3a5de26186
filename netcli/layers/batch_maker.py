"""How batches are made of a source's records, by threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from netcli.arrays.device import Device
from netcli.arrays.layout import Shape, size_text
from netcli.augment.transform import Transform
from netcli.errors import DataError, ShapeError
from netcli.layers.records import Batch, Form, MisfitError, Record, Source, UnevenError

PART = 8  # records that a thread takes at a time


class BatchMaker:
    """Makes batches, in memory of the host: one thread fetches what is stored, `threads` decode and transform it.

    size           records in a batch
    first          records passed over before the first batch
    device         where the batches will go
    sends_records  whether the records themselves may, to be transformed there
    first_form     of the batch that `begin` has looked at
    """

    def __init__(
        self,
        source: Source,
        transform: Transform,
        size: int,
        dtype: Any,
        *,
        first: int,
        threads: int,
        device: Device,
        sends_records: bool,
    ) -> None:
        self._source, self._transform = source, transform
        self._size, self._first, self._dtype = size, first, np.dtype(dtype)
        self._device = device
        self._sends_records = sends_records
        self._free: deque[Batch] = deque()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="netcli decode") if threads > 1 else None
        self.first_form: Form

    def begin(self) -> Any:
        """Decode the first record, which says how the first batch will lie; returns its image.

        Raises DataError where it does not fit.
        """
        record = self._records(*divmod(self._first, len(self._source)), 1, 0)[0]
        (image, _), shape = self._in_turn(self._decoded, record)
        self.first_form = self._form(image, shape)
        return image

    def make(self, position: int) -> Batch:
        """The batch of a position, in records; raises DataError.  By one thread at a time."""
        try:
            return self._load(position)
        except UnevenError:
            self._sends_records = False  # floats of the same values from now on
            return self._load(position)

    def take_back(self, batch: Batch) -> None:
        """A batch that is no longer looked at, whose memory the next ones may have."""
        self._free.append(batch)

    def close(self) -> None:
        """Give back the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def _load(self, position: int) -> Batch:
        """The batch of records position .. position + batch_size - 1 of the run."""
        count = len(self._source)
        batch: Batch | None = None
        parts: list[Future[None]] = []
        item = 0
        try:
            while item < self._size:
                epoch, index = divmod(self._first + position + item, count)
                run = min(1 if batch is None else PART, self._size - item, count - index)
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
        draws = self._transform.draws(epoch, first, count)
        words = [None] * count if draws is None else draws
        return [
            Record(item + i, epoch, first + i, self._source.fetch(epoch, first + i), words[i]) for i in range(count)
        ]

    def _in_turn(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Call it, and raise what does not fit as a DataError that names the record."""
        try:
            return work(*arguments)
        except MisfitError as fault:
            name = self._source.name(fault.record.epoch, fault.record.number)
            raise DataError(f"{name}{fault.message}", field=fault.field) from None

    def _form(self, image: Any, shape: Shape) -> Form:
        """Of a batch whose first record is `image`, and of `shape` when it is transformed."""
        whole = Form((self._size, *shape), self._dtype)
        if not self._sends_records or image.dtype != np.uint8:
            return whole
        records = replace(whole, records=image.shape, planes=image.flags.c_contiguous, less=self._transform.less_count)
        return min(records, whole, key=lambda form: form.nbytes)

    def _empty(self, form: Form) -> Batch:
        """A batch to fill, from those given back where one has the form."""
        while self._free:
            batch = self._free.popleft()
            batch.upload.wait()
            if batch.form == form:
                return batch
        return Batch(form, self._device.host_memory(form.nbytes, np.uint8))

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
        image, label = self._source.decode(record.fetched, partial(self._transform.need, record.words))
        try:
            return (image, label), self._transform.shape(image.shape, image.dtype)
        except ShapeError as fault:
            raise MisfitError(record, f": {fault.message}", fault.field) from None

    def _put(self, batch: Batch, record: Record, image: tuple[Any, int]) -> None:
        parts, item = batch.parts, record.item
        parts.labels[item] = image[1]
        if parts.top is None:
            self._transform(image[0], record.words, parts.images[item])
            return
        parts.images[item] = image[0]
        parts.top[item], parts.left[item], parts.mirrored[item] = self._transform.window(
            record.words, *image[0].shape[1:]
        )
        if parts.less is not None:
            parts.less[item] = self._transform.less(record.words)
