"""Writing an LMDB: beside its place under another name, and put there when it is whole."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from types import TracebackType

import lmdb

from netcli.errors import DataError
from netcli.sources.lmdb_reader import DATA_FILE

FIRST_MAP = 1 << 28  # bytes the file may grow to before the map is doubled; no disk is taken for it
RECORDS_PER_COMMIT = 1000  # as Caffe's convert_imageset
BYTES_PER_COMMIT = 1 << 26  # what waits in memory for the next commit
LOCK_FILE = "lock.mdb"
SCARCE = 1 << 16  # bytes free on a disk that is as good as full
OWN_FILES = {DATA_FILE, LOCK_FILE}


class LmdbWriter:
    """A new LMDB in folder `path`; for use in a `with` statement.

    The records go to `path`.partial, which becomes `path` at the end of the `with` block.  A block left by
    an exception leaves nothing behind; what a killed process left is cleared by the next writer.

    overwrite: replace an LMDB that is there; the old one stays in place until the new one is whole.
    Raises DataError where `path` exists, its folder does not, the disk is full, or two keys are equal.
    """

    def __init__(self, path: str, *, overwrite: bool = False) -> None:
        self.path = os.path.abspath(path)
        self._shown = path
        self._partial = f"{self.path}.partial"
        if os.path.lexists(self.path):
            if not overwrite:
                raise DataError(f"{path} exists already; --force replaces it")
            if not os.path.isdir(self.path) or not set(os.listdir(self.path)) <= OWN_FILES:
                raise DataError(f"{path} exists and is not an LMDB; it is left alone")
        self._batch: list[tuple[bytes, bytes]] = []
        self._bytes = 0
        self._map_size = FIRST_MAP

    def __enter__(self) -> LmdbWriter:
        try:
            os.makedirs(self._partial, exist_ok=True)
            self._folder = os.open(self._partial, os.O_RDONLY)
        except OSError as fault:
            raise DataError(f"{self._shown} can't be made: {fault.strerror}") from None
        try:
            fcntl.flock(self._folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            found = set(os.listdir(self._partial))
            if not found <= OWN_FILES:
                raise FileExistsError(errno.EEXIST, f"{self._partial} holds other files and is left alone")
            for name in found:
                os.unlink(os.path.join(self._partial, name))
            # Synced once, at the end: until then the folder bears another name and counts for nothing.
            self._environment = lmdb.open(self._partial, map_size=self._map_size, lock=False, sync=False)
        except (lmdb.Error, OSError) as fault:
            os.close(self._folder)
            taken = isinstance(fault, BlockingIOError)
            why = "another process is writing it" if taken else getattr(fault, "strerror", None) or str(fault)
            raise DataError(f"{self._shown} can't be made: {why}") from None
        self._key_limit: int = self._environment.max_key_size()
        return self

    def put(self, key: bytes, value: bytes) -> None:
        """Add a record."""
        if len(key) > self._key_limit:
            raise DataError(f"a key of {len(key)} bytes is longer than LMDB's {self._key_limit}: {os.fsdecode(key)}")
        self._batch.append((key, value))
        self._bytes += len(value)
        if len(self._batch) >= RECORDS_PER_COMMIT or self._bytes >= BYTES_PER_COMMIT:
            self._commit()

    def _commit(self) -> None:
        while not self._fits():
            self._map_size *= 2
            self._environment.set_mapsize(self._map_size)
        self._batch.clear()
        self._bytes = 0

    def _fits(self) -> bool:
        """Write what waits; False, with nothing written, if the map is too small."""
        try:
            with self._environment.begin(write=True) as transaction:
                for key, value in self._batch:
                    # Appending needs rising keys and packs the pages; other keys go where they belong.
                    appended = transaction.put(key, value, append=True)
                    if not appended and not transaction.put(key, value, overwrite=False):
                        raise DataError(f"{self._shown}: the key {os.fsdecode(key)!r} is given twice")
        except lmdb.MapFullError:
            return False
        except lmdb.Error as fault:
            raise self._fault(fault) from None
        return True

    def _fault(self, fault: Exception) -> DataError:
        # LMDB tells of a write that was cut short as of an input/output error, whatever the reason.
        full = shutil.disk_usage(self._folder).free < SCARCE
        why = os.strerror(errno.ENOSPC) if full else fault
        return DataError(f"{self._shown} can't be written, and nothing is left of it: {why}")

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        placed = False
        try:
            if kind is None:
                self._commit()
                self._environment.sync(True)
            self._environment.close()
            if kind is None:
                self._put_in_place()
                placed = True
        except (lmdb.Error, OSError) as trouble:
            raise self._fault(trouble) from None
        finally:
            self._environment.close()
            if not placed:
                shutil.rmtree(self._partial, ignore_errors=True)
            os.close(self._folder)

    def _put_in_place(self) -> None:
        if not os.path.isdir(self.path):
            os.fsync(self._folder)
            os.rename(self._partial, self.path)
            _sync(os.path.dirname(self.path))
            return
        # A folder with files in it can't be renamed over, its data file can.  The lock file goes first: it counts
        # the transactions of the old data, and who opens the new with it is led astray.
        if os.path.exists(os.path.join(self.path, LOCK_FILE)):
            os.unlink(os.path.join(self.path, LOCK_FILE))
        os.replace(os.path.join(self._partial, DATA_FILE), os.path.join(self.path, DATA_FILE))
        _sync(self.path)
        os.rmdir(self._partial)


def _sync(folder: str) -> None:
    """See that a rename in `folder` survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
