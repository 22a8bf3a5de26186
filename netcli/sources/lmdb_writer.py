"""Writing an LMDB: beside its place under another name, and put there when it is whole."""

from __future__ import annotations

import os
from functools import partial
from types import TracebackType
from typing import Any

import lmdb

from netcli.errors import DataError
from netcli.sources.lmdb_reader import DATA_FILE
from netcli.sources.new_folder import NewFolder, check_place, sync_folder

FIRST_MAP = 1 << 28  # bytes the file may grow to before the map is doubled; no disk is taken for it
RECORDS_PER_COMMIT = 1000  # as Caffe's convert_imageset
BYTES_PER_COMMIT = 1 << 26  # what waits in memory for the next commit
LOCK_FILE = "lock.mdb"
JOB_FILE = "job.txt"  # while it is being made: what of
OWN_FILES = {DATA_FILE, LOCK_FILE, JOB_FILE}


class LmdbWriter:
    """A new LMDB in folder `path`; for use in a `with` statement.

    The records go to `path`.partial, which becomes `path` at the end of the `with` block.  A block left by
    an exception leaves nothing behind; what a killed process left is cleared by the next writer.

    overwrite: replace an LMDB that is there; the old one stays in place until the new one is whole.
    job: what the records are made of, in words that no other records have.  Then a process that is killed or
        interrupted leaves what it has committed, and the next writer with this job goes on behind it; the file ends
        with the same bytes.  "": it can't be gone on with.
    written: the keys that are there already, in their order.
    Raises DataError where `path` exists, the disk is full, or two keys are equal.
    """

    def __init__(self, path: str, *, overwrite: bool = False, job: str = "") -> None:
        self._job = job
        self.written: list[bytes] = []
        self._shown = path
        self._folder = NewFolder(
            path, is_own_file, partial(check_place, path, "an LMDB", is_own_file, overwrite=overwrite)
        )
        self._batch: list[tuple[bytes, bytes]] = []
        self._bytes = 0
        self._map_size = FIRST_MAP

    def __enter__(self) -> LmdbWriter:
        resumed = self._folder.begin(self._is_ours)
        try:
            if self._job and not resumed:
                with open(self._in_partial(JOB_FILE), "w", encoding="utf-8") as file:
                    file.write(self._job)
            self._environment = self._opened(0 if resumed else self._map_size)
        except (lmdb.Error, OSError) as fault:
            self._folder.drop()
            self._folder.release()
            raise self._folder.not_made(getattr(fault, "strerror", None) or fault) from None
        self._key_limit: int = self._environment.max_key_size()
        if resumed:
            self._map_size = self._environment.info()["map_size"]
            with self._environment.begin() as transaction:
                self.written = list(transaction.cursor().iternext(keys=True, values=False))
        return self

    def _opened(self, map_size: int) -> Any:
        """map_size: 0 for the file's own."""
        # Synced once, at the end: until then the folder bears another name and counts for nothing.
        return lmdb.open(self._folder.partial, map_size=map_size, lock=False, sync=False)

    def _in_partial(self, name: str) -> str:
        return os.path.join(self._folder.partial, name)

    def _is_ours(self) -> bool:
        """Whether what a process left in the folder is a part of this job."""
        if not self._job or not os.path.isfile(self._in_partial(DATA_FILE)):
            return False
        try:
            with open(self._in_partial(JOB_FILE), encoding="utf-8") as file:
                return file.read() == self._job
        except (OSError, UnicodeDecodeError):
            return False

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record."""
        if len(key) > self._key_limit:
            raise DataError(f"a key of {len(key)} bytes is longer than LMDB's {self._key_limit}: {os.fsdecode(key)}")
        self._batch.append((key, value))
        self._bytes += len(value)
        if len(self._batch) >= RECORDS_PER_COMMIT or self._bytes >= BYTES_PER_COMMIT:
            self._commit()

    def flush(self) -> None:
        """Bring all records so far to the disk."""
        try:
            self._commit()
            self._environment.sync(True)
        except (lmdb.Error, OSError) as trouble:
            raise self._folder.not_written(trouble) from None

    def _commit(self) -> None:
        while not self._fits():
            self._map_size *= 2
            self._environment.set_mapsize(self._map_size)
        if self._job and self._batch:
            # What LMDB writes to the empty parts of pages is left from earlier ones, which a process that goes on
            # has not had.
            self._environment.close()
            self._environment = self._opened(self._map_size)
        self._batch.clear()
        self._bytes = 0

    def _fits(self) -> bool:
        """Write what waits; False, with nothing written, if the map is too small."""
        try:
            if not self._appended():
                self._put_each()
        except lmdb.MapFullError:
            return False
        except lmdb.Error as fault:
            raise self._folder.not_written(fault) from None
        return True

    def _appended(self) -> bool:
        """Write what waits behind all that is there, which packs the pages; False, with nothing written, if not so.

        That wants rising keys.
        """
        with self._environment.begin(write=True) as transaction:
            with transaction.cursor() as cursor:
                _, added = cursor.putmulti(self._batch, append=True)
            whole: bool = added == len(self._batch)
            if not whole:
                transaction.abort()
        return whole

    def _put_each(self) -> None:
        """Write what waits in any order."""
        with self._environment.begin(write=True) as transaction:
            for key, value in self._batch:
                appended = transaction.put(key, value, append=True)
                if not appended and not transaction.put(key, value, overwrite=False):
                    raise DataError(f"{self._shown}: the key {os.fsdecode(key)!r} is given twice")

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        placed, interrupted = False, kind is not None and issubclass(kind, KeyboardInterrupt)
        try:
            if kind is None:
                self._commit()
                self._environment.sync(True)
            self._environment.close()
            if kind is None:
                self._put_in_place()
                placed = True
        except (lmdb.Error, OSError) as trouble:
            raise self._folder.not_written(trouble) from None
        except KeyboardInterrupt:  # all may be there, and the disk takes its time
            interrupted = True
            raise
        finally:
            self._environment.close()
            if not placed and not (self._job and interrupted):
                self._folder.drop()
            self._folder.release()

    def _put_in_place(self) -> None:
        path = self._folder.path
        if self._job:
            os.unlink(self._in_partial(JOB_FILE))
        if not os.path.isdir(path):
            self._folder.put_in_place()
            return
        # Its one data file can be renamed over, which every file system does at once.  The lock file goes first: it
        # counts the transactions of the old data, and who opens the new with it is led astray.
        if os.path.exists(os.path.join(path, LOCK_FILE)):
            os.unlink(os.path.join(path, LOCK_FILE))
        os.replace(self._in_partial(DATA_FILE), os.path.join(path, DATA_FILE))
        sync_folder(path)
        os.rmdir(self._folder.partial)


def is_own_file(name: str) -> bool:
    """Whether an LMDB has a file of this name, or one that is being made."""
    return name in OWN_FILES
