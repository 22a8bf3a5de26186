"""The records of a database or of a list of images alike, for programs that look at each once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Protocol

from netcli.errors import DataError
from netcli.sources.database import LMDB, Database, open_database
from netcli.sources.datum import datum_label, read_datum
from netcli.sources.image_file import read_image
from netcli.sources.image_list import ImageList, folder_of, prefix_of, read_list


class RecordSet(Protocol):
    """Records 0 .. len - 1: fetched by one thread at a time, decoded by any number."""

    path: str

    def __len__(self) -> int: ...

    def fetch(self, index: int) -> Any:
        """What is stored of a record; raises DataError where it can't be had."""

    def decode(self, fetched: Any) -> tuple[Any, int]:
        """(image (C, H, W) uint8 or float32, label) of what was fetched; raises DataError, which names it."""

    def name(self, fetched: Any) -> str:
        """The record in words, for a sentence."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Stored:
    """A record of a database: its number, key and value."""

    number: int
    key: bytes
    value: bytes

    @property
    def shown_key(self) -> str:
        return self.key.decode(errors="replace")


class DatabaseRecords:
    """The records of an open database, which `close` closes.

    color: for encoded images, 1 channel (False), 3 (True), or as many as each has (None)
    """

    def __init__(self, reader: Database, color: bool | None = None) -> None:
        self.path = reader.path
        self._reader = reader
        self._color = color

    def __len__(self) -> int:
        return len(self._reader)

    def fetch(self, index: int) -> Stored:
        return Stored(index, *self._reader[index])  # a copy: threads may look at it while the database is closed

    def decode(self, fetched: Stored) -> tuple[Any, int]:
        try:
            return read_datum(fetched.value, self._color)
        except DataError as fault:
            raise DataError(f"{self.name(fetched)}: {fault.message}") from None

    def label(self, fetched: Stored) -> int:
        """The label alone, of which no image is decoded; raises DataError, which names the record."""
        try:
            return datum_label(fetched.value)
        except DataError as fault:
            raise DataError(f"{self.name(fetched)}: {fault.message}") from None

    def find(self, key: bytes) -> Stored | None:
        """The record with this key, whose number is not known (-1); None: there is none."""
        value = self._reader.get(key)
        return None if value is None else Stored(-1, key, value)

    def name(self, fetched: Stored) -> str:
        number = f"record {fetched.number} " if fetched.number >= 0 else "record "
        return f"{self.path}: {number}('{fetched.shown_key}')"

    def close(self) -> None:
        self._reader.close()


class ListRecords:
    """The images of a list.

    root    what the paths begin with; "": they are looked for from the current folder, then beside the list
    color   3 channels (True), 1 (False), or as many as each has (None)
    """

    def __init__(self, images: ImageList, root: str = "", color: bool | None = True) -> None:
        self.path = images.file
        self._images = images
        self._root = prefix_of(root) if root else folder_of(images.paths, images.file)
        self._color = color

    def __len__(self) -> int:
        return len(self._images)

    def fetch(self, index: int) -> int:
        return index

    def decode(self, fetched: int) -> tuple[Any, int]:
        try:
            image = read_image(self._root + self._images.paths[fetched], self._color)
        except DataError as fault:
            raise DataError(f"{self._images.place(fetched)}: {fault.message}") from None
        return image, int(self._images.labels[fetched])

    def name(self, fetched: int) -> str:
        return f"{self._images.place(fetched)}: {self._root}{self._images.paths[fetched]}"

    def close(self) -> None:
        """Nothing is held open."""


def open_records(path: str, *, root: str = "", backend: str = LMDB, gray: bool = False) -> RecordSet:
    """The records of the database in folder `path`, or of the list in the file `path`; raises DataError.

    root      before the paths of a list
    backend   of BACKENDS, for a folder that holds both
    gray      1 channel; else 3 of a list's images, as many as there are of a database's
    """
    if os.path.isfile(path):
        return ListRecords(read_list(path), root, not gray)
    return DatabaseRecords(open_database(path, backend), False if gray else None)
