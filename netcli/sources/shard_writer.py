"""Making databases in shards: one after the other in a folder beside their places, and put there together."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from types import TracebackType

from netcli.errors import DataError
from netcli.sources.database import DatabaseWriter, check_replaceable, create_database
from netcli.sources.new_folder import NewFolder, remove, sync_folder
from netcli.sources.shards import Shards, shards_beside

JOB_FILE = "job.txt"
PLACING_FILE = "placing.txt"  # is there once all shards are whole


class ShardWriter:
    """New databases in `count` shards each, `path`-00000-of-`count` and so on; for use in a `with` statement.

    They are made in the folder `paths[0]`.shards.partial, each as a single one is, and come into their places at the
    end of the `with` block.  A block left by an exception leaves nothing behind.

    paths      of databases with the same number of records, all in one folder
    backend    of BACKENDS
    overwrite  replace what is there of this kind, in whatever number of shards, once all the new ones are whole: what
               has one of their names is removed before the first of them is in its place, so that old and new are
               never mixed, and all else when the last is.  A link is replaced, and what it leads to is left
    whole_too  single databases `paths` count as being there
    job        what the records are made of, in words that no other records have.  Then a process that is killed or
               interrupted leaves what it has made, and the next with this job goes on behind it, to the same bytes.
               "": it can't be gone on with
    finished   shards of the first of `paths` that are there already: so many, from the first
    Raises DataError where something is in the way.
    """

    def __init__(
        self,
        paths: Sequence[str],
        count: int,
        backend: str,
        *,
        overwrite: bool = False,
        whole_too: bool = True,
        job: str = "",
    ) -> None:
        self._sets = [Shards(os.path.normpath(path), count) for path in paths]
        self._backend, self._overwrite, self._whole_too, self._job = backend, overwrite, whole_too, job
        base = self._sets[0].base
        self._own = re.compile(rf"{JOB_FILE}|{PLACING_FILE}|{re.escape(os.path.basename(base))}.*-of-\d+(\.partial)?")
        self._partial = os.path.abspath(f"{base}.shards.partial")
        self._placing = False
        self.finished = 0
        self._folder = NewFolder(
            f"{base}.shards", lambda name: self._own.fullmatch(name) is not None, self._check, self._sets[0].name
        )

    def _check(self) -> None:
        """Raise DataError where something is in the way."""
        if not self._is_being_placed():
            for path in self._there():
                check_replaceable(path, self._backend, overwrite=self._overwrite)

    def _there(self) -> list[str]:
        """What stands where the databases are to be."""
        found = [shards.base for shards in self._sets if self._whole_too and os.path.lexists(shards.base)]
        return found + [path for shards in self._sets for path, _ in shards_beside(shards.base)]

    def _in_partial(self, name: str) -> str:
        return os.path.join(self._partial, name)

    def _is_ours(self) -> bool:
        """Whether what a process left in the folder is a part of this job."""
        try:
            with open(self._in_partial(JOB_FILE), encoding="utf-8") as file:
                same = self._job != "" and file.read() == self._job
        except (OSError, UnicodeDecodeError):
            return False
        return same and (not os.path.exists(self._in_partial(PLACING_FILE)) or self._is_whole())

    def _is_being_placed(self) -> bool:
        """Whether a process that had made all shards of this job was killed before the last was in its place."""
        return os.path.exists(self._in_partial(PLACING_FILE)) and self._is_ours()

    def _is_whole(self) -> bool:
        return all(os.path.isdir(self._made(folder)) for shards in self._sets for folder in shards.folders)

    def _made(self, folder: str) -> str:
        """Where a shard is that is finished: beside the others, or in its place."""
        made = self._in_partial(os.path.basename(folder))
        return made if os.path.isdir(made) or not os.path.exists(self._in_partial(PLACING_FILE)) else folder

    def __enter__(self) -> ShardWriter:
        resumed = self._folder.begin(self._is_ours)
        self._placing = os.path.exists(self._in_partial(PLACING_FILE))
        try:
            if self._job and not resumed:
                _write(self._in_partial(JOB_FILE), self._job)
            folders = self._sets[0].folders
            while self.finished < len(folders) and os.path.isdir(self._made(folders[self.finished])):
                self.finished += 1
            self._clear(os.path.basename(folders[self.finished]) if self.finished < len(folders) else "")
        except OSError as fault:
            self._folder.drop()
            self._folder.release()
            raise self._folder.not_made(fault.strerror) from None
        return self

    def _clear(self, begun: str) -> None:
        """Remove what is not finished, but for the shard that is to be gone on with."""
        for name in os.listdir(self._partial):
            if name.endswith(".partial") and name != f"{begun}.partial":
                remove(self._in_partial(name))

    def made(self, path: str, index: int) -> str:
        """The folder of a finished shard of one of `paths`."""
        return self._made(self._set(path).folders[index])

    def is_made(self, path: str, index: int) -> bool:
        return os.path.isdir(self.made(path, index))

    def create(self, path: str, index: int) -> DatabaseWriter:
        """A writer of a shard of one of `paths`."""
        folder = self._in_partial(os.path.basename(self._set(path).folders[index]))
        return create_database(folder, self._backend, overwrite=True, job=self._job)

    def _set(self, path: str) -> Shards:
        return next(shards for shards in self._sets if shards.base == os.path.normpath(path))

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = kind is not None and issubclass(kind, KeyboardInterrupt)
        try:
            if kind is None:
                self._put_in_place()
        except KeyboardInterrupt:
            interrupted = True
            raise
        finally:
            if not self._placing and not (self._job and interrupted):
                self._folder.drop()
            self._folder.release()

    def _put_in_place(self) -> None:
        """Once all are whole: give the new ones their names, and remove the old ones."""
        try:
            if not self._placing:
                self._check()
                _write(self._in_partial(PLACING_FILE), "")
                sync_folder(self._partial)
                self._placing = True
            made = {folder: self._made(folder) for shards in self._sets for folder in shards.folders}
            old = self._there()
            for path in old:
                if made.get(path, path) != path:
                    remove(path)
            for folder, new in made.items():
                if new != folder:
                    os.rename(new, folder)
            sync_folder(os.path.dirname(self._partial))
        except OSError as trouble:
            if not self._placing:
                raise self._folder.not_written(trouble.strerror) from None
            raise DataError(
                f"{self._sets[0].name} is whole, but can't be put in its place: {trouble.strerror}; "
                f"its shards are in {self._partial}"
            ) from None
        for path in old:
            if path not in made:
                try:
                    remove(path)
                except OSError as trouble:
                    raise DataError(
                        f"{self._sets[0].name} is in its place, but {path} can't be removed: {trouble.strerror}"
                    ) from None
        self._folder.drop()


def _write(path: str, text: str) -> None:
    """A small file, on the disk at once."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
