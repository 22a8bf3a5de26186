"""Reading a LevelDB: its records by their number in the order of keys.

plyvel, an extra of netcli's, is imported here alone, and not before a LevelDB is read or written.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import struct
import sys
import threading
from bisect import bisect_right
from types import TracebackType
from typing import Any
from weakref import WeakValueDictionary

from netcli.errors import DataError, NetcliError
from netcli.sources.leveldb_log import check_log

log = logging.getLogger("netcli")

# As Caffe opens its databases.  The write buffer counts for a reader too: a log is replayed through it.
OPTIONS = {"block_size": 1 << 16, "write_buffer_size": 1 << 28, "max_open_files": 100}
LARGE = 1 << 30  # bytes; the records of a database above that are not counted in a moment
OWN_FILE = re.compile(r"CURRENT|LOCK|LOG|LOG\.old|lost|MANIFEST-\d+|\d+\.(log|ldb|sst|dbtmp)")


def require() -> Any:
    """The module plyvel; raises NetcliError where it is not installed."""
    try:
        import plyvel
    except ImportError:
        raise NetcliError("LevelDB databases need plyvel: pip install netcli[leveldb]") from None
    return plyvel


def holds_leveldb(path: str) -> bool:
    """Whether the folder `path` has what every LevelDB has."""
    return os.path.isfile(os.path.join(path, "CURRENT"))


def check_not_in_use(path: str) -> None:
    """Raise DataError where a process, this one or another, has the LevelDB in folder `path` open."""
    with _open_lock:
        if _identity(path) in _open:
            raise DataError(f"{path} is being read by this process")
        if os.path.exists(os.path.join(path, "LOCK")):
            holder = _holder(path)
            if holder is not None:
                raise _in_use(path, holder)


def words_of(fault: Exception) -> str:
    """What an exception of plyvel's says, which may be bytes, or one of the system's."""
    if isinstance(fault, OSError) and fault.strerror:
        return fault.strerror
    said = fault.args[0] if fault.args else type(fault).__name__
    return said.decode(errors="replace") if isinstance(said, bytes) else str(said)


def _identity(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _in_use(path: str, holder: int) -> DataError:
    who = f"process {holder}{_name_of(holder)}" if holder else "another process"
    return DataError(f"{path} is in use by {who}; a LevelDB is open in one process at a time")


def _name_of(process: int) -> str:
    try:
        with open(f"/proc/{process}/comm", encoding="utf-8", errors="replace") as file:
            return f" ({file.read().strip()})"
    except OSError:
        return ""


def _holder(path: str) -> int | None:
    """The process that has LevelDB's lock, 0 where the system doesn't say which; None: nobody.

    To be called while this process has it not: closing the file would give the lock back.
    """
    with open(os.path.join(path, "LOCK"), "rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if sys.platform != "linux":
                return 0
            # struct flock: type, from where, start, length, process
            asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 0, 0)
            return int(struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, asked))[4])
    return None


class _Database:
    """An open LevelDB, its number of records, and the keys remembered to seek by."""

    def __init__(self, path: str) -> None:
        plyvel = require()
        self._check(path)
        try:
            self.handle: Any = plyvel.DB(path, create_if_missing=False, paranoid_checks=True, **OPTIONS)
        except plyvel.Error as fault:
            if "LOCK" in words_of(fault):
                holder = _holder(path)
                if holder is not None:
                    raise _in_use(path, holder) from None
            raise DataError(f"{path} can't be opened: LevelDB says '{words_of(fault)}'") from None
        try:
            self._count_records()
        except BaseException as fault:  # its traceback would keep the database open
            self.handle.close()
            if not isinstance(fault, plyvel.Error):
                raise
            raise DataError(
                f"{path} is damaged at record {self.count}: LevelDB says '{words_of(fault)}'; copy or make it again"
            ) from None

    def _check(self, path: str) -> None:
        """What can be known before the folder is touched."""
        if not os.path.exists(path):
            raise DataError(f"there is no database {path}")
        if not holds_leveldb(path):
            raise DataError(f"{path} is not a LevelDB: the folder holds no file CURRENT")
        if not os.access(path, os.W_OK):
            raise DataError(f"{path} is read-only, and LevelDB writes to a folder it reads from; copy it elsewhere")
        try:
            files = [os.path.join(path, name) for name in os.listdir(path)]
            for file in files:
                if file.endswith(".log"):
                    check_log(file)
            size = sum(map(os.path.getsize, files))
        except OSError as fault:
            raise DataError(f"{fault.filename or path} can't be read: {fault.strerror}") from None
        if size > LARGE:
            log.warning("%s holds %.1f GB, which are read once to count the records", path, size / 1e9)

    def _count_records(self) -> None:
        self.count = 0
        self.numbers: list[int] = []  # of the records that are remembered, the first of each block's worth
        self.keys: list[bytes] = []
        passed = OPTIONS["block_size"]
        with self.handle.iterator(verify_checksums=True, fill_cache=False) as records:
            for key, value in records:
                if passed >= OPTIONS["block_size"]:
                    self.numbers.append(self.count)
                    self.keys.append(key)
                    passed = 0
                passed += len(key) + len(value)
                self.count += 1


# The open databases of the process by (device, inode) of the folder: LevelDB allows each to be open once, and layers
# may share one.
_open: WeakValueDictionary[tuple[int, int], _Database] = WeakValueDictionary()
_open_lock = threading.Lock()


def _shared(path: str) -> _Database:
    with _open_lock:
        database = _open.get(_identity(path)) if os.path.isdir(path) else None
        if database is None:
            database = _Database(path)
            _open[_identity(path)] = database
        return database


class LevelDbReader:
    """The records of the LevelDB in folder `path`, numbered from 0 in the order of their keys.

    LevelDB does not know how many records it has: the first reader of a database in a process reads all of it once,
    to count them and to see that every block is whole, at the speed of the disk up to about 1 GB a second; those that
    follow, while one is open, share what it found.  It remembers a key for each block's worth of records, 64 KB.
    Reading one after the other is a step of an iterator; reading elsewhere costs about a block.

    Opening also turns the log of what was written last into a table, as LevelDB does at each opening, so the folder
    must be writable, and no other process may have it open.  For one thread at a time.
    may_be_empty: as a shard may be of which no image could be read
    Raises DataError for what is missing, cut off, damaged, empty, no LevelDB, or in use.
    """

    def __init__(self, path: str, *, may_be_empty: bool = False) -> None:
        self.path = path
        self._database: _Database | None = _shared(path)
        self._records = self._database.handle.raw_iterator()
        self._count = self._database.count
        self._numbers, self._keys = self._database.numbers, self._database.keys
        self._at = -1  # the record the iterator is on
        if not self._count and not may_be_empty:
            self.close()
            raise DataError(f"{path} holds no records")

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> tuple[bytes, bytes]:
        """Key and value of record `index`, 0 .. len - 1; raises DataError where it can't be read any more."""
        if not 0 <= index < self._count:
            raise IndexError(f"record {index} of {self._count}")
        try:
            self._move(index)
            key, value = self._records.item()
        except require().Error as fault:
            self._at = -1
            raise DataError(f"{self.path} can't be read at record {index}: LevelDB says '{words_of(fault)}'") from None
        return key, value

    def view(self, index: int) -> tuple[bytes, bytes]:
        """The same; LevelDB copies what it gives."""
        return self[index]

    def get(self, key: bytes) -> bytes | None:
        """The value of the record with this key, None where there is none."""
        plyvel = require()
        assert self._database is not None, "the reader is closed"
        try:
            value: bytes | None = self._database.handle.get(key)
        except plyvel.Error as fault:
            raise DataError(f"{self.path} is damaged on the way to a key: LevelDB says '{words_of(fault)}'") from None
        return value

    def _move(self, index: int) -> None:
        mark = bisect_right(self._numbers, index) - 1
        if not self._at <= index or self._at < self._numbers[mark]:
            self._records.seek(self._keys[mark])
            self._at = self._numbers[mark]
        while self._at < index:
            self._records.next()
            self._at += 1

    def close(self) -> None:
        """Give the database back, which is closed with its last reader; harmless the second time."""
        if self._database is not None:
            with _open_lock:
                self._records.close()
                self._database = self._records = None

    def __enter__(self) -> LevelDbReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
