"""Databases in shards: folders db-00000-of-00008 and so on, which are named together as db@8.

The records of a database in shards are those of its shards, one after the other.
"""

from __future__ import annotations

import itertools
import os
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

from netcli.errors import DataError
from netcli.sources.image_list import named

if TYPE_CHECKING:
    from netcli.sources.database import Database

MOST = 1000  # shards of a database; all are open at once
_TOGETHER = re.compile(r"(.+)@([0-9]{1,9})/*", re.DOTALL)
_ONE = re.compile(r"-([0-9]{5,9})-of-([0-9]{5,9})")


@dataclass(frozen=True)
class Shards:
    """`count` databases that are one.

    base   the path that their own begin with
    """

    base: str
    count: int

    @property
    def name(self) -> str:
        return f"{self.base}@{self.count}"

    @property
    def folders(self) -> list[str]:
        return [f"{self.base}-{index:05d}-of-{self.count:05d}" for index in range(self.count)]

    def span(self, index: int, total: int) -> range:
        """Which of `total` records, or images, a shard has."""
        return range(total * index // self.count, total * (index + 1) // self.count)

    def check(self) -> None:
        """Raise DataError unless all are there."""
        folders = self.folders
        missing = [folder for folder in folders if not os.path.exists(folder)]
        if len(missing) == self.count:
            raise DataError(f"there is no database {self.name}{other_forms(self.base)}")
        if missing:
            raise DataError(f"{named(missing, self.count, 'shard')} missing from {self.name}")


def shards_of(path: str) -> Shards | None:
    """What a path such as db@8 names; None for any other, and where a file or folder has that very name.

    Raises DataError for a number of shards that can't be.
    """
    found = None if os.path.lexists(path) else _TOGETHER.fullmatch(path)
    if found is None:
        return None
    count = int(found[2])
    if not 1 <= count <= MOST:
        raise DataError(f"{path}: a database has 1 to {MOST} shards")
    return Shards(os.path.normpath(found[1]), count)


def base_of(path: str) -> str:
    """The path of a database without the number of its shards."""
    shards = shards_of(path)
    return os.path.normpath(path) if shards is None else shards.base


def folders_of(path: str) -> list[str]:
    """The folders of a database: of one in shards, those of all."""
    shards = shards_of(path)
    return [path] if shards is None else shards.folders


def found_shards(source: str, find: Callable[[str], str]) -> str:
    """Where a database is: where `find` says, or for one in shards, where it finds the first that is there.

    find: gives a path that may be another one than that given, or does not exist
    """
    path = find(source)
    shards = shards_of(path)
    if shards is None:
        return path
    for folder in shards.folders:
        if os.path.exists(there := find(folder)):
            return f"{there.removesuffix(folder)}{shards.name}"
    return path


def shards_beside(base: str) -> list[tuple[str, int]]:
    """The shards that there are with this path, in whatever number: folders, and of how many each is."""
    parent, name = os.path.split(os.path.normpath(base))
    try:
        names = sorted(os.listdir(parent or "."))
    except OSError:
        return []
    ends = [(each, _ONE.fullmatch(each.removeprefix(name))) for each in names if each.startswith(name)]
    return [(os.path.join(parent, each), int(end[2])) for each, end in ends if end is not None]


def other_forms(path: str) -> str:
    """What is there of a database that is not as `path` says: "; there is db@8"; "" where nothing is."""
    there = [path] if os.path.exists(path) else []
    there += [f"{path}@{count}" for count in sorted({count for _, count in shards_beside(path)})]
    return f"; there is {' and '.join(there)}" if there else ""


class ShardedReader:
    """The records of open databases, one after the other, as one; they are closed with it.

    path: of all together
    """

    def __init__(self, path: str, readers: Sequence[Database]) -> None:
        self.path = path
        self._readers = readers
        self._ends = list(itertools.accumulate(map(len, readers)))  # number of the record behind each one's last

    def __len__(self) -> int:
        return self._ends[-1]

    @property
    def lengths(self) -> list[int]:
        """Records of each."""
        return [len(reader) for reader in self._readers]

    def _place(self, index: int) -> tuple[Database, int]:
        """The shard that has record `index`, and its number there."""
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)}")
        shard = bisect_right(self._ends, index)
        reader = self._readers[shard]
        return reader, index - self._ends[shard] + len(reader)

    def __getitem__(self, index: int) -> tuple[bytes, bytes]:
        """Key and value of a record; raises DataError where it can't be read."""
        reader, number = self._place(index)
        return reader[number]

    def view(self, index: int) -> tuple[bytes | memoryview, bytes | memoryview]:
        """The same without a copy where that can be; not to be looked at once the database is closed."""
        reader, number = self._place(index)
        return reader.view(number)

    def get(self, key: bytes) -> bytes | None:
        """The value of the record with this key, of the first shard that has one; None where there is none."""
        return next((value for reader in self._readers if (value := reader.get(key)) is not None), None)

    def close(self) -> None:
        """Close all shards; harmless the second time."""
        for reader in self._readers:
            reader.close()

    def __enter__(self) -> ShardedReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
