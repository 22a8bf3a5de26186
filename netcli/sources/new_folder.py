"""A folder that is built beside its place under another name, and put there when it is whole."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Callable

from netcli.errors import DataError

SCARCE = 1 << 16  # bytes free on a disk that is as good as full
EXCHANGE = 2  # RENAME_EXCHANGE of Linux's renameat2: each of two names takes the other's place at once
HERE = -100  # AT_FDCWD: paths are looked for from the current folder


def check_place(path: str, what: str, is_own: Callable[[str], bool], *, overwrite: bool) -> None:
    """Raise DataError where `path` exists and is not to be replaced, or is something else.

    what        what is to be there, in words: "an LMDB"
    is_own      whether a file of this name belongs to such a database
    """
    place = _place_of(path)
    if os.path.lexists(place):
        if not overwrite:
            raise DataError(f"{path} exists already; delete it, or replace it by --force")
        if not os.path.isdir(place) or not all(map(is_own, os.listdir(place))):
            raise DataError(f"{path} exists and is not {what}; it is left alone")


def _place_of(path: str) -> str:
    return os.path.realpath(path) if os.path.isdir(path) else os.path.abspath(path)


class NewFolder:
    """The folder `path` that is being made, as `path`.partial until `put_in_place`.

    is_own      whether a file of this name belongs to it
    check       called at once and again when it is begun; raises DataError where it may not be made
    shown       its name in sentences; default: `path`
    A link to a folder stays one: what it leads to is replaced.  Folders above that are missing are made.
    """

    def __init__(
        self, path: str, is_own: Callable[[str], bool], check: Callable[[], None], shown: str | None = None
    ) -> None:
        self.path = _place_of(path)
        self.partial = f"{self.path}.partial"
        self._shown = shown or path
        self._is_own = is_own
        self._check = check
        check()

    def begin(self, is_resumed: Callable[[], bool] = lambda: False) -> bool:
        """Make the folder to build in, for this process alone; what a killed one left is cleared away.

        is_resumed: whether that is to be gone on with instead, which is returned.
        """
        try:
            os.makedirs(self.partial, exist_ok=True)
            self._descriptor = os.open(self.partial, os.O_RDONLY)
        except OSError as fault:
            raise self.not_made(fault.strerror) from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self._descriptor), os.stat(self.partial)):
                raise BlockingIOError  # another process has put in place what was opened, and a third begun anew
            self._check()  # another process may have put its own there meanwhile
            found = os.listdir(self.partial)
            if not all(map(self._is_own, found)):
                raise FileExistsError(errno.EEXIST, f"{self.partial} holds other files and is left alone")
            if found and is_resumed():
                return True
            for name in found:
                remove(os.path.join(self.partial, name))
        except OSError as fault:
            self.release()
            taken = isinstance(fault, BlockingIOError)
            raise self.not_made("another process is writing it" if taken else fault.strerror) from None
        except DataError:
            with contextlib.suppress(OSError):
                os.rmdir(self.partial)
            self.release()
            raise
        return False

    def not_made(self, why: object) -> DataError:
        return DataError(f"{self._shown} can't be made: {why}")

    def not_written(self, why: object) -> DataError:
        """The fault of a write that failed; a database may not know that the disk was full."""
        full = shutil.disk_usage(self._descriptor).free < SCARCE
        return DataError(
            f"{self._shown} can't be written, and nothing is left of it: {os.strerror(errno.ENOSPC) if full else why}"
        )

    def put_in_place(self) -> None:
        """Give the folder its name, once all its files have reached the disk; an old one there is removed."""
        os.fsync(self._descriptor)
        if os.path.lexists(self.path):
            _exchange(self.partial, self.path)
            shutil.rmtree(self.partial)
        else:
            os.rename(self.partial, self.path)
        sync_folder(os.path.dirname(self.path))

    def drop(self) -> None:
        """Remove what was built."""
        shutil.rmtree(self.partial, ignore_errors=True)

    def release(self) -> None:
        """Let other processes build here."""
        os.close(self._descriptor)


def remove(path: str) -> None:
    """Remove a file, a link, or a folder with all that is in it."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def _exchange(new: str, old: str) -> None:
    """Let two folders take each other's place: at once where the system can, else by way of a third name."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is not None and rename(HERE, os.fsencode(new), HERE, os.fsencode(old), EXCHANGE) == 0:
        return
    # A process killed between the first two of these leaves both, whole, under other names.
    aside = f"{old}.replaced"
    os.rename(old, aside)
    os.rename(new, old)
    os.rename(aside, new)


def sync_folder(folder: str) -> None:
    """See that a rename in `folder` survives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
