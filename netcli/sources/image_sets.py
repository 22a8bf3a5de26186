"""Images to make a database of: those of a list, of a folder for each class, of a zip or tar archive.

Each is taken by any number of threads, in any order.
"""

from __future__ import annotations

import os
import tarfile
import threading
import zipfile
from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from netcli.errors import DataError
from netcli.sources.image_file import FORMATS
from netcli.sources.image_list import ImageList, prefix_of

EXTENSIONS = tuple(f".{kind}" for kind in FORMATS)
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


class Source(NamedTuple):
    """Where an image is from.

    file    its path, or how it is named in sentences where `data` are its bytes
    """

    file: str
    label: int
    data: bytes | None


class ImageSet(Protocol):
    """Images with a label each.

    paths    of the images, as their records' keys have them
    labels   int32
    classes  the names of the labels, 0 first; empty where nobody has named them
    """

    @property
    def paths(self) -> Sequence[str]: ...

    @property
    def labels(self) -> np.ndarray: ...

    @property
    def classes(self) -> Sequence[str]: ...

    def place(self, index: int) -> str:
        """What stands before a sentence on an image."""

    def source(self, index: int) -> Source:
        """An image: the path of a file that is not read yet, the bytes from an archive; raises DataError."""

    def close(self) -> None: ...


class Listed:
    """The entries of a list file; their paths begin with `prefix`, or name members of an archive."""

    def __init__(self, images: ImageList, root: str) -> None:
        self._images = images
        self.paths, self.labels, self.classes = images.paths, images.labels, ()
        self._archive = open_archive(root) if is_archive(root) else None
        self._prefix = "" if self._archive else prefix_of(root)

    def place(self, index: int) -> str:
        return f"{self._images.place(index)}: "

    def source(self, index: int) -> Source:
        path = self.paths[index]
        data = None if self._archive is None else self._archive.read(path)
        return Source(self._prefix + path, int(self.labels[index]), data)

    def close(self) -> None:
        if self._archive is not None:
            self._archive.close()


class Classes:
    """The images below a folder or in an archive, each labelled by the folder it is in; folders in order of names."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._archive = open_archive(root) if is_archive(root) else None
        found = self._archive.names() if self._archive is not None else _below(root)
        images = sorted(path for path in found if path.lower().endswith(EXTENSIONS))
        folders = [os.path.dirname(path) for path in images]
        self.classes = sorted(set(folders))
        if not images or self.classes == [""]:
            raise DataError(f"{root} has no folders with images, one for each class; give a list of images and labels")
        if "" in self.classes:
            loose = next(path for path in images if not os.path.dirname(path))
            raise DataError(f"{root} has images in no class, such as {loose}, beside folders with images")
        numbers = {name: number for number, name in enumerate(self.classes)}
        self.paths = images
        self.labels = np.array([numbers[folder] for folder in folders], np.int32)

    def place(self, index: int) -> str:  # noqa: ARG002
        return ""

    def source(self, index: int) -> Source:
        path = self.paths[index]
        data = None if self._archive is None else self._archive.read(path)
        return Source(os.path.join(self._root, path), int(self.labels[index]), data)

    def close(self) -> None:
        if self._archive is not None:
            self._archive.close()


def _below(root: str) -> list[str]:
    """Paths of the files below a folder, from it."""
    if not os.path.isdir(root):
        raise DataError(f"{root} is no folder")
    return [
        os.path.relpath(os.path.join(folder, name), root)
        for folder, _, names in os.walk(root, followlinks=True)
        for name in names
    ]


class Archive(Protocol):
    """Files in one, by their names."""

    def names(self) -> list[str]: ...

    def read(self, name: str) -> bytes:
        """Raises DataError."""

    def close(self) -> None: ...


def is_archive(path: str) -> bool:
    """Whether this is a file that is named as one."""
    return path.lower().endswith(ARCHIVES) and os.path.isfile(path)


def open_archive(path: str) -> Archive:
    """Raises DataError."""
    return Zip(path) if path.lower().endswith(".zip") else Tar(path)


class Zip:
    """A zip archive."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._file = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as fault:
            raise DataError(f"{path} can't be read as a zip archive: {fault}") from None

    def names(self) -> list[str]:
        return [entry.filename for entry in self._file.infolist() if not entry.is_dir()]

    def read(self, name: str) -> bytes:
        try:
            return self._file.read(name)
        except KeyError:
            raise DataError(f"{self._path} has no {name}") from None
        except (OSError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as fault:
            raise DataError(f"{self._path}: {name} can't be read: {fault}") from None

    def close(self) -> None:
        self._file.close()


class Tar:
    """A tar archive, compressed or not.  What is compressed is read fastest in the order it has."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._lock = threading.Lock()  # there is one place in the file for all threads
        try:
            self._file = tarfile.open(path)  # noqa: SIM115
            self._members = {member.name.removeprefix("./"): member for member in self._file if member.isfile()}
        except (OSError, EOFError, tarfile.TarError) as fault:
            raise DataError(f"{path} can't be read as a tar archive: {fault}") from None

    def names(self) -> list[str]:
        return list(self._members)

    def read(self, name: str) -> bytes:
        member = self._members.get(name.removeprefix("./"))
        if member is None:
            raise DataError(f"{self._path} has no {name}")
        try:
            with self._lock:
                stream = self._file.extractfile(member)
                return b"" if stream is None else stream.read()
        except (OSError, EOFError, tarfile.TarError) as fault:
            raise DataError(f"{self._path}: {name} can't be read: {fault}") from None

    def close(self) -> None:
        self._file.close()
