"""Databases of records, whichever kind a folder holds."""

from __future__ import annotations

import os
from types import TracebackType
from typing import Protocol

from netcli.errors import DataError
from netcli.sources.leveldb_reader import LevelDbReader, holds_leveldb
from netcli.sources.leveldb_writer import LevelDbWriter, is_own_file
from netcli.sources.lmdb_reader import DATA_FILE, LmdbReader, holds_lmdb
from netcli.sources.lmdb_writer import LmdbWriter

LMDB, LEVELDB = "lmdb", "leveldb"
BACKENDS = (LMDB, LEVELDB)


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
    """Which of BACKENDS the folder `path` holds: of both, the preferred one; raises DataError where it holds none."""
    if not os.path.exists(path):
        raise DataError(f"there is no database {path}")
    if not os.path.isdir(path):
        raise DataError(f"{path} is a file; a database is named by the folder that holds its files")
    found = [backend for backend, holds in ((LMDB, holds_lmdb), (LEVELDB, holds_leveldb)) if holds(path)]
    if not found:
        if any(name.startswith("MANIFEST-") and is_own_file(name) for name in os.listdir(path)):
            raise DataError(f"{path} is a LevelDB that lacks its file CURRENT; copy or make it again")
        raise DataError(
            f"{path} is neither an LMDB nor a LevelDB: the folder holds no {DATA_FILE}, and no file CURRENT"
        )
    return preferred if preferred in found else found[0]


def open_database(path: str, preferred: str = LMDB) -> Database:
    """The database in folder `path`, of whatever kind; raises DataError.

    preferred: of BACKENDS, for a folder that holds both
    """
    return LmdbReader(path) if backend_of(path, preferred) == LMDB else LevelDbReader(path)


def create_database(path: str, backend: str, *, overwrite: bool = False, job: str = "") -> DatabaseWriter:
    """A writer of a new database in folder `path`; raises DataError where it can't be made.

    backend: of BACKENDS
    overwrite: replace a database of this kind that is there
    job: see `LmdbWriter`; a LevelDB that is not finished is begun anew
    """
    if backend == LMDB:
        return LmdbWriter(path, overwrite=overwrite, job=job)
    return LevelDbWriter(path, overwrite=overwrite)
