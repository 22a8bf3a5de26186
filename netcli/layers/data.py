"""Records of a database.

Same batches as Caffe's data_layer.cpp.
"""

from __future__ import annotations

import logging
from typing import Any

from netcli.errors import DataError, NetcliError
from netcli.layers.base import layer
from netcli.layers.batches import BatchLayer, Source
from netcli.layers.record_order import RecordOrder
from netcli.sources.datum import read_datum
from netcli.sources.lmdb_reader import LmdbReader, holds_lmdb

log = logging.getLogger("netcli")

LEVELDB = 0  # DataParameter.DB in caffe.proto


@layer("Data", param="data_param")
class Data(BatchLayer):
    """The records of an LMDB, in the order of their keys unless they are shuffled, over and over.

    top     data    (batch_size, C, H, W), after transform_param; H and W of the first record of the batch
            label   (batch_size,), where there is a second top
    param   source        the database's folder
            backend       LMDB; an LMDB is read as one whatever this says, for Caffe's default is LEVELDB
            batch_size    records
            prefetch      batches made ahead, default 4
            force_encoded_color   decode images to 3 channels; as transform_param.force_color
            shuffle       (NVCaffe, Intel Caffe, TSN) a new order in each epoch, by seed and epoch; default false
            rand_skip     has no effect, as in Caffe
            scale, mean_file, crop_size, mirror   likewise: they stand in transform_param now
            threads, parser_threads, cache, precache   change nothing
    """

    fork_fields = ("shuffle", "threads", "parser_threads", "cache", "precache")

    def open_source(self) -> Source:
        if not self.p.source:
            raise NetcliError("data_param needs source, the folder of a database")
        if self.p.rand_skip:
            log.warning("layer '%s': rand_skip has no effect in Data layers, as in Caffe", self.name)
        path = self.find(self.p.source)
        if self.p.backend == LEVELDB and holds_lmdb(path):
            log.warning(
                "layer '%s': backend is LEVELDB (Caffe's default), but %s is an LMDB and read as one", self.name, path
            )
        color = True if self.p.force_encoded_color else self.transform.color
        reader = LmdbReader(path)
        seed = self.context.seed if self.p.shuffle else None
        return Database(reader, color, RecordOrder(len(reader), seed, f"shuffle {self.name}"))


class Database:
    """The records of an LMDB as a source."""

    def __init__(self, reader: LmdbReader, color: bool | None, order: RecordOrder) -> None:
        self._reader = reader
        self._color = color
        self._order = order

    def __len__(self) -> int:
        return len(self._reader)

    def record(self, epoch: int, index: int) -> tuple[Any, int]:
        _, value = self._reader[self._order(epoch, index)]
        try:
            return read_datum(value, self._color)
        except DataError as fault:
            raise DataError(f"{self.name(epoch, index)}: {fault.message}") from None

    def name(self, epoch: int, index: int) -> str:
        number = self._order(epoch, index)
        key = self._reader[number][0].decode(errors="replace")
        return f"{self._reader.path}: record {number} ('{key}')"

    def close(self) -> None:
        self._reader.close()
