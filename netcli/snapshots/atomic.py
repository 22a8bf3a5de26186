"""Writing a file so that a reader never sees half of one, whatever happens meanwhile."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from typing import BinaryIO

from netcli.errors import Place, SnapshotError

PART = ".part"  # what a file that is being written ends with


def atomic_write(path: str, write: Callable[[BinaryIO], None]) -> None:
    """Write the file at `path` by `write(stream)`; see `atomic_stream`."""
    with atomic_stream(path) as stream:
        write(stream)


@contextlib.contextmanager
def atomic_stream(path: str) -> Iterator[BinaryIO]:
    """A stream, which may be read too, whose bytes are the file at `path` when the `with` ends, and not before.

    They go to a file beside it, reach the disk, and then the name is moved over.  Nothing is left of a write that
    fails or is interrupted, and the file is as it was.  A link stays one: what it leads to is written.  What is no
    file, such as a pipe or /dev/null, keeps its place and gets the bytes at the end.  Raises SnapshotError with the
    system's word for what is wrong.
    """
    try:
        if _is_device(path):
            with tempfile.TemporaryFile() as stream:
                yield stream
                stream.seek(0)
                with open(path, "wb") as device:
                    shutil.copyfileobj(stream, device)
            return
        place = _place(path)
        beside = _beside(place)
        with _removed_on_failure(beside):
            with open(beside, "x+b") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(beside, place)
        _sync_folder(os.path.dirname(place))
    except OSError as fault:
        raise _fault(path, fault) from None


def check_writable(path: str) -> None:
    """Raise SnapshotError where `atomic_write` can make no file at `path`: for asking before hours are spent."""
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if _is_device(path):
            return
        beside = _beside(_place(path))
        with _removed_on_failure(beside), open(beside, "xb"):
            pass
        os.remove(beside)
    except OSError as fault:
        raise _fault(path, fault) from None


def _is_device(path: str) -> bool:
    """Whether a path names what is neither a file nor a folder, to which bytes may go all the same."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _place(path: str) -> str:
    if not path:  # which realpath takes for the current folder
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return os.path.realpath(path)


def _beside(path: str) -> str:
    return f"{path}.{secrets.token_hex(4)}{PART}"


def _fault(path: str, fault: OSError) -> SnapshotError:
    folder = os.path.dirname(path)
    why = f"there is no folder {folder}" if folder and not os.path.isdir(folder) else _words(fault)
    return SnapshotError(f"can't be written: {why}", place=Place(path or "''"))


def remove_parts(prefix: str) -> None:
    """Remove what killed writers have left of files whose paths begin with `prefix`."""
    folder, stem = os.path.split(prefix)
    form = re.compile(re.escape(stem) + r".*\.[0-9a-f]{8}" + re.escape(PART))
    with contextlib.suppress(OSError):  # a folder that can't be listed is none of ours
        for name in os.listdir(folder or "."):
            if form.fullmatch(name):
                with contextlib.suppress(OSError):  # another user's, or gone meanwhile
                    os.remove(os.path.join(folder, name))


@contextlib.contextmanager
def _removed_on_failure(path: str) -> Iterator[None]:
    try:
        yield
    except BaseException:  # KeyboardInterrupt too: the next run should not find half a file
        with contextlib.suppress(OSError):
            os.remove(path)
        raise


def _sync_folder(folder: str) -> None:
    """Let the new name reach the disk too, where the file system can be asked for that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as fault:
        if fault.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def _words(fault: OSError) -> str:
    words = fault.strerror or str(fault)
    return words[:1].lower() + words[1:]
