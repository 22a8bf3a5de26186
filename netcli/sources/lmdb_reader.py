"""Reading an LMDB: its records by their number in the order of keys."""

from __future__ import annotations

import os
import threading
from types import TracebackType
from typing import Any
from weakref import WeakValueDictionary

import lmdb

from netcli.errors import DataError
from netcli.sources.lmdb_pages import check_file

DATA_FILE = "data.mdb"
MARK_EVERY = 32  # records between two keys that are remembered to seek by


def holds_lmdb(path: str) -> bool:
    """Whether the folder `path` has an LMDB's data file."""
    return os.path.isfile(os.path.join(path, DATA_FILE))


def check_database(path: str) -> None:
    """Raise DataError unless `path` is the folder of an LMDB whose file is whole."""
    if not os.path.exists(path):
        raise DataError(f"there is no database {path}")
    if not os.path.isdir(path):
        raise DataError(f"{path} is a file; an LMDB is named by the folder that holds its {DATA_FILE}")
    if not holds_lmdb(path):
        raise DataError(f"{path} is not an LMDB: the folder holds no {DATA_FILE}")
    try:
        check_file(os.path.join(path, DATA_FILE))
    except OSError as fault:
        raise DataError(f"{path} can't be read: {fault.strerror}") from None


# The open environments of the process by (device, inode): LMDB allows each to be open once, and layers may share one.
_open: WeakValueDictionary[tuple[int, int], Any] = WeakValueDictionary()
_open_lock = threading.Lock()


def _environment(path: str) -> Any:
    status = os.stat(os.path.join(path, DATA_FILE))
    with _open_lock:
        environment = _open.get((status.st_dev, status.st_ino))
        if environment is None:
            # No lock file: the folder may be read-only, and nobody writes to a database in use.
            environment = lmdb.open(path, readonly=True, lock=False, create=False)
            _open[status.st_dev, status.st_ino] = environment
        return environment


class LmdbReader:
    """The records of the LMDB in folder `path`, numbered from 0 in the order of their keys.

    Reading one after the other is a step of a cursor; reading elsewhere starts from the nearest key
    remembered (every 32nd of those passed so far).  For one thread at a time.
    may_be_empty: as a shard may be of which no image could be read
    Raises DataError for what is missing, cut off, empty or no LMDB.
    """

    def __init__(self, path: str, *, may_be_empty: bool = False) -> None:
        self.path = path
        check_database(path)
        try:
            self._transaction = _environment(path).begin(buffers=True)
        except (lmdb.Error, OSError) as fault:
            raise DataError(f"{path} can't be opened as an LMDB: {fault}") from None
        self._cursor = self._transaction.cursor()
        self._count: int = self._transaction.stat()["entries"]
        self._at = -1  # the record the cursor is on
        self._marks: list[bytes] = []  # keys of the records 0, 32, 64, ...
        if not self._count and not may_be_empty:
            self.close()
            raise DataError(f"{path} holds no records")

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[bytes, bytes]:
        """Key and value of record `index`, 0 .. len - 1; raises DataError where a page on the way is damaged."""
        key, value = self.view(index)
        return bytes(key), bytes(value)

    def view(self, index: int) -> tuple[memoryview, memoryview]:
        """The same where they lie in the file's pages: good until the reader is closed, and not looked at later."""
        if not 0 <= index < self._count:
            raise IndexError(f"record {index} of {self._count}")
        try:
            self._move(index)
            key, value = self._cursor.item()
        except lmdb.Error as fault:
            raise DataError(f"{self.path} is damaged at record {index}: {fault}") from None
        return key, value

    def get(self, key: bytes) -> bytes | None:
        """The value of the record with this key, None where there is none."""
        try:
            value = self._transaction.get(key)
        except lmdb.BadValsizeError:  # a key that none can be: empty, or too long
            return None
        except lmdb.Error as fault:
            raise DataError(f"{self.path} is damaged on the way to a key: {fault}") from None
        return None if value is None else bytes(value)

    def _move(self, index: int) -> None:
        mark = min(index // MARK_EVERY, len(self._marks) - 1)
        if not self._at <= index or self._at < mark * MARK_EVERY:
            if mark < 0:
                self._cursor.first()
                self._at = 0
                self._remember()
            else:
                self._cursor.set_key(self._marks[mark])
                self._at = mark * MARK_EVERY
        while self._at < index:
            self._cursor.next()
            self._at += 1
            self._remember()

    def _remember(self) -> None:
        if self._at == len(self._marks) * MARK_EVERY:
            self._marks.append(bytes(self._cursor.key()))

    def close(self) -> None:
        """Give the database back; harmless the second time."""
        if self._transaction is not None:
            self._cursor.close()
            self._transaction.abort()
            self._transaction = self._cursor = None  # the environment closes with its last transaction

    def __enter__(self) -> LmdbReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
