"""Writing a LevelDB: beside its place under another name, and put there when it is whole."""

from __future__ import annotations

import os
from functools import partial
from types import TracebackType
from typing import Any

from netcli.errors import DataError
from netcli.sources.leveldb_reader import OPTIONS, OWN_FILE, check_not_in_use, holds_leveldb, require, words_of
from netcli.sources.new_folder import NewFolder, check_place

RECORDS_PER_WRITE = 1000  # as Caffe's convert_imageset
BYTES_PER_WRITE = 1 << 26  # what waits in memory for the next write


class LevelDbWriter:
    """A new LevelDB in folder `path`, with Caffe's block size and Snappy's compression; for use in a `with` statement.

    The records go to `path`.partial, which becomes `path` at the end of the `with` block.  A block left by
    an exception leaves nothing behind; what a killed process left is cleared by the next writer.

    overwrite: replace a LevelDB that is there; the old one stays in place until the new one is whole.
    Raises DataError where `path` exists, the disk is full, or two keys are equal, and where the
    LevelDB to be replaced is in use.
    """

    def __init__(self, path: str, *, overwrite: bool = False) -> None:
        self.written: list[bytes] = []
        self._plyvel = require()
        self._shown = path
        self._folder = NewFolder(
            path, is_own_file, partial(check_place, path, "a LevelDB", is_own_file, overwrite=overwrite)
        )
        self._check_not_in_use()
        self._batch: dict[bytes, bytes] = {}
        self._bytes = 0
        self._last: bytes | None = None  # the highest key so far

    def _check_not_in_use(self) -> None:
        """Its reader would look for tables in a folder that is gone."""
        if holds_leveldb(self._folder.path):
            check_not_in_use(self._folder.path)

    def __enter__(self) -> LevelDbWriter:
        self._folder.begin()
        try:
            self._database: Any = self._plyvel.DB(
                self._folder.partial, create_if_missing=True, error_if_exists=True, compression="snappy", **OPTIONS
            )
        except self._plyvel.Error as fault:
            self._folder.drop()
            self._folder.release()
            raise self._folder.not_made(words_of(fault)) from None
        return self

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record."""
        # Keys that rise, as they do in Caffe's programs, are not looked for.
        if self._last is None or key > self._last:
            self._last = key
        elif key in self._batch or self._database.get(key) is not None:
            raise DataError(f"{self._shown}: the key {os.fsdecode(key)!r} is given twice")
        self._batch[key] = value
        self._bytes += len(value)
        if len(self._batch) >= RECORDS_PER_WRITE or self._bytes >= BYTES_PER_WRITE:
            self._write()

    def flush(self) -> None:
        """Bring all records so far to the disk."""
        self._write()
        try:
            self._sync()
        except OSError as trouble:
            raise self._folder.not_written(words_of(trouble)) from None

    def _write(self) -> None:
        try:
            with self._database.write_batch() as batch:
                for key, value in self._batch.items():
                    batch.put(key, value)
        except self._plyvel.Error as fault:
            raise self._folder.not_written(words_of(fault)) from None
        self._batch.clear()
        self._bytes = 0

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        placed = False
        try:
            if kind is None:
                self._write()
            self._database.close()
            if kind is None:
                self._check_not_in_use()
                self._sync()
                self._folder.put_in_place()
                placed = True
        except OSError as trouble:
            raise self._folder.not_written(words_of(trouble)) from None
        finally:
            self._database.close()
            if not placed:
                self._folder.drop()
            self._folder.release()

    def _sync(self) -> None:
        for name in os.listdir(self._folder.partial):
            with open(os.path.join(self._folder.partial, name), "rb") as file:
                os.fsync(file.fileno())


def is_own_file(name: str) -> bool:
    """Whether a LevelDB has a file of this name."""
    return OWN_FILE.fullmatch(name) is not None
