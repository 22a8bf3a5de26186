"""Records of a database.

Same batches as Caffe's data_layer.cpp.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing
from typing import Any

from netcli.errors import DataError, NetcliError
from netcli.layers.base import layer
from netcli.layers.batches import BatchLayer
from netcli.layers.mixture import Mixture
from netcli.layers.record_order import RecordOrder
from netcli.layers.records import Source, cache_of
from netcli.sources.database import LEVELDB, LMDB, Database, backend_of, open_database
from netcli.sources.datum import read_datum
from netcli.sources.image_cache import ImageCache
from netcli.sources.image_file import Needs
from netcli.sources.shards import found_shards

log = logging.getLogger("netcli")

BACKENDS = (LEVELDB, LMDB)  # by their numbers in DataParameter.DB of caffe.proto


@layer("Data", param="data_param")
class Data(BatchLayer):
    """The records of an LMDB or a LevelDB, in the order of their keys unless they are shuffled, over and over.

    top     data    (batch_size, C, H, W), after transform_param; H and W of the first record of the batch
            label   (batch_size,), where there is a second top
    param   source        the database's folder; db@8 is the one in the 8 shards db-00000-of-00008 and so on
            backend       LEVELDB (default) or LMDB; a database is read as what it is whatever this says, which
                          tells which is meant in a folder that holds both
            batch_size    records
            prefetch      batches made ahead, default 4
            force_encoded_color   decode images to 3 channels; as transform_param.force_color
            shuffle       (NVCaffe, Intel Caffe, TSN) a new order in each epoch, by seed and epoch; default false
            rand_skip     has no effect, as in Caffe
            scale, mean_file, crop_size, mirror   likewise: they stand in transform_param now
            threads       (NVCaffe) that decode and transform images; 0 (default): as many as compute
            cache         (NVCaffe) keep decoded images in memory, up to cache_mib (ours, default 1024); that pays for
                          encoded ones, others are in the system's own cache
            mixed         (ours) { source weight }, in place of source: several databases, of whose records an epoch has
                          as many as they have together, each with its share; the weight is by default their number
            shuffle_window   (ours) with shuffle: records that stay together, in random order, as do the windows
            parser_threads, precache   change nothing
    """

    fork_fields = ("shuffle", "threads", "parser_threads", "cache", "precache")

    def open_source(self) -> Source:
        if not self.p.source and not self.p.mixed:
            raise NetcliError("data_param needs source, the folder of a database")
        if self.p.source and self.p.mixed:
            raise NetcliError("source and mixed exclude each other")
        if self.p.rand_skip:
            log.warning("layer '%s': rand_skip has no effect in Data layers, as in Caffe", self.name)
        if not self.p.mixed:
            return self._of_database(self.p.source)
        if any(not 0 <= each.weight < float("inf") for each in self.p.mixed):
            raise NetcliError("a weight is a number from 0 on", field="data_param.mixed")
        with ExitStack() as opened:
            sources = [opened.enter_context(closing(self._of_database(each.source))) for each in self.p.mixed]
            opened.pop_all()
        return Mixture(sources, [each.weight for each in self.p.mixed], self.context.seed, f"mixed {self.name}")

    def _of_database(self, source: str) -> Records:
        """Those of one database."""
        path = found_shards(source, self.find)
        self._tell_of_another_kind(path)
        color = True if self.p.force_encoded_color else self.transform.color
        reader = open_database(path, BACKENDS[self.p.backend])
        seed = self.context.seed if self.p.shuffle else None
        order = RecordOrder(len(reader), seed, f"shuffle {self.name}", self.p.shuffle_window)
        return Records(reader, color, order, cache_of(self.p))

    def _tell_of_another_kind(self, path: str) -> None:
        wanted = BACKENDS[self.p.backend]
        found = backend_of(path, wanted)
        if found != wanted:
            log.warning(
                "layer '%s': backend is %s, but %s is %s and read as one",
                self.name,
                "LMDB" if wanted == LMDB else "LEVELDB (Caffe's default)",
                path,
                "an LMDB" if found == LMDB else "a LevelDB",
            )


class Records:
    """The records of a database as a source."""

    def __init__(
        self, reader: Database, color: bool | None, order: RecordOrder, cache: ImageCache | None = None
    ) -> None:
        self._reader, self._cache = reader, cache
        self._color = color
        self._order = order

    def __len__(self) -> int:
        return len(self._reader)

    def fetch(self, epoch: int, index: int) -> Any:
        number = self._order(epoch, index)
        return number, *self._reader.view(number)

    def decode(self, fetched: Any, need: Needs | None) -> tuple[Any, int]:
        if self._cache is not None:
            return self._cache.get(fetched[0], lambda: self._decoded(fetched, None))
        return self._decoded(fetched, need)

    def _decoded(self, fetched: Any, need: Needs | None) -> tuple[Any, int]:
        number, key, value = fetched
        try:
            return read_datum(value, self._color, need)
        except DataError as fault:
            raise DataError(f"{self._named(number, key)}: {fault.message}") from None

    def name(self, epoch: int, index: int) -> str:
        number, key, _ = self.fetch(epoch, index)
        return self._named(number, key)

    def _named(self, number: int, key: bytes | memoryview) -> str:
        return f"{self._reader.path}: record {number} ('{bytes(key).decode(errors='replace')}')"

    def close(self) -> None:
        self._reader.close()
