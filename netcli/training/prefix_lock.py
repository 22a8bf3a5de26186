"""One run at a time behind a snapshot_prefix: two would write over each other's snapshots.

A lock on the file PREFIX_iter_.lock, which the system takes back when a run ends, however it ends; the file that a
killed one leaves behind locks nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from types import TracebackType


class PrefixLock:
    """Holds a prefix from `with` to its end.

    held   whether no other run had it; also True where it can't be locked at all, as on some network file systems
    other  the process that holds it otherwise, where it is known
    """

    def __init__(self, prefix: str) -> None:
        self.path = f"{prefix}_iter_.lock"
        self.held = True
        self.other: int | None = None
        self._file: int | None = None

    def __enter__(self) -> PrefixLock:
        # Another run may remove the file between our opening and our locking it: then we hold nothing, and try again.
        while self._file is None and self.held and self._try():
            pass
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                os.remove(self.path)
            os.close(self._file)
            self._file = None

    def _try(self) -> bool:
        """Take the lock; returns whether it is worth trying again."""
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:  # a prefix that can't be written to is told by those who write there
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(file, self.path):
                os.close(file)
                return True
            os.truncate(file, 0)
            os.write(file, b"%d\n" % os.getpid())
            self._file = file
        except OSError as fault:
            if fault.errno in (errno.EAGAIN, errno.EACCES):
                self.held = False
                self.other = _number(os.read(file, 32))
            os.close(file)
        return False


def _is_at(file: int, path: str) -> bool:
    """Whether a path still names an open file."""
    try:
        return os.path.samestat(os.fstat(file), os.stat(path))
    except OSError:
        return False


def _number(text: bytes) -> int | None:
    return int(text) if text.strip().isdigit() else None
