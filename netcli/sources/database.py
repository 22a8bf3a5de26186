"""Databases of records, whichever kind a folder holds."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Protocol

from netcli.errors import DataError
from netcli.sources import leveldb_writer, lmdb_writer
from netcli.sources.leveldb_reader import LevelDbReader, check_not_in_use, holds_leveldb
from netcli.sources.lmdb_reader import DATA_FILE, LmdbReader, holds_lmdb
from netcli.sources.new_folder import check_place
from netcli.sources.open_files import allow
from netcli.sources.shards import ShardedReader, other_forms, shards_of

LMDB, LEVELDB = "lmdb", "leveldb"
BACKENDS = (LMDB, LEVELDB)
FILES = 10  # that an open LevelDB has open of its own, about; an LMDB has fewer


class Database(Protocol):
    """Records by their number, 0 .. len - 1, in the order of their keys."""

    path: str

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[bytes, bytes]:
        """Key and value of a record; raises DataError where it can't be read."""

    def view(self, index: int) -> tuple[bytes | memoryview, bytes | memoryview]:
        """The same without a copy where that can be; not to be looked at once the database is closed."""

    def get(self, key: bytes) -> bytes | None:
        """The value of the record with this key, None where there is none; raises DataError where it can't be read."""

    def close(self) -> None: ...

    def __enter__(self) -> Database: ...

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class DatabaseWriter(Protocol):
    """A new database, in its place at the end of the `with` block and not before.

    written: keys of a part that is there already; see `LmdbWriter`
    """

    written: list[bytes]

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record."""

    def flush(self) -> None:
        """Bring all records so far to the disk, so that nothing but a renaming is left to the end."""

    def __enter__(self) -> DatabaseWriter: ...

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def backend_of(path: str, preferred: str) -> str:
    """Which of BACKENDS the folder `path` holds: of both, the preferred one; raises DataError where it holds none.

    Of a database in shards, that of the first.
    """
    shards = shards_of(path)
    if shards is not None:
        shards.check()
        path = shards.folders[0]
    if not os.path.exists(path):
        raise DataError(f"there is no database {path}{other_forms(path)}")
    if not os.path.isdir(path):
        raise DataError(f"{path} is a file; a database is named by the folder that holds its files")
    found = [backend for backend, holds in ((LMDB, holds_lmdb), (LEVELDB, holds_leveldb)) if holds(path)]
    if not found:
        if any(name.startswith("MANIFEST-") and leveldb_writer.is_own_file(name) for name in os.listdir(path)):
            raise DataError(f"{path} is a LevelDB that lacks its file CURRENT; copy or make it again")
        raise DataError(
            f"{path} is neither an LMDB nor a LevelDB: the folder holds no {DATA_FILE}, and no file CURRENT"
        )
    return preferred if preferred in found else found[0]


def open_database(path: str, preferred: str = LMDB) -> Database:
    """The database in folder `path`, of whatever kind, or in the shards that `path` names (db@8); raises DataError.

    preferred: of BACKENDS, for a folder that holds both
    """
    shards = shards_of(path)
    if shards is None:
        return _opened(path, preferred)
    shards.check()
    allow(FILES * shards.count)
    with ExitStack() as opened:
        readers = [
            opened.enter_context(closing(_opened(folder, preferred, may_be_empty=True))) for folder in shards.folders
        ]
        if len(set(map(type, readers))) > 1:
            raise DataError(f"{path} has shards that are LMDBs and others that are LevelDBs")
        if not any(map(len, readers)):
            raise DataError(f"{path} holds no records")
        opened.pop_all()
    return ShardedReader(path, readers)


def _opened(path: str, preferred: str, *, may_be_empty: bool = False) -> Database:
    reader = LmdbReader if backend_of(path, preferred) == LMDB else LevelDbReader
    return reader(path, may_be_empty=may_be_empty)


def keys_in(path: str) -> list[bytes]:
    """The keys in a folder, which may be none; raises DataError."""
    with _opened(path, LMDB, may_be_empty=True) as reader:
        return [bytes(reader.view(index)[0]) for index in range(len(reader))]


def check_replaceable(path: str, backend: str, *, overwrite: bool) -> None:
    """Raise DataError where `path` exists, unless it is a database of this kind, not in use, that may be replaced."""
    if backend == LMDB:
        check_place(path, "an LMDB", lmdb_writer.is_own_file, overwrite=overwrite)
        return
    check_place(path, "a LevelDB", leveldb_writer.is_own_file, overwrite=overwrite)
    if holds_leveldb(path):
        check_not_in_use(path)


def create_database(path: str, backend: str, *, overwrite: bool = False, job: str = "") -> DatabaseWriter:
    """A writer of a new database in folder `path`; raises DataError where it can't be made.

    backend: of BACKENDS
    overwrite: replace a database of this kind that is there
    job: see `LmdbWriter`; a LevelDB that is not finished is begun anew
    """
    shards = shards_of(path)
    if shards is not None and any(map(os.path.exists, shards.folders)):
        raise DataError(f"{path} would hide the database in shards of this name; choose another")
    if backend == LMDB:
        return lmdb_writer.LmdbWriter(path, overwrite=overwrite, job=job)
    return leveldb_writer.LevelDbWriter(path, overwrite=overwrite)
