"""Lists of images: a text file of lines `path label`."""

from __future__ import annotations

import codecs
import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netcli.errors import DataError

SHOWN = 3  # faults named in a sentence before it says how many more there are


@dataclass(frozen=True)
class ImageList:
    """The entries of a list file, in its order."""

    file: str
    paths: list[str]
    labels: np.ndarray  # int32
    lines: np.ndarray  # int32, the line of each entry, from 1

    def __len__(self) -> int:
        return len(self.paths)

    def place(self, index: int) -> str:
        """`list.txt:7`, for a sentence on entry `index`."""
        return f"{self.file}:{self.lines[index]}"


def read_list(file: str) -> ImageList:
    """Read a list; the label follows the last space, so that a path may have spaces.

    A tab will do as well, which Caffe doesn't take.  Lines with nothing on them are passed over.  Raises DataError
    where the file can't be read, is empty, or has lines of another form: how many, and the first of them.
    """
    paths: list[str] = []
    labels: list[int] = []
    lines: list[int] = []
    faults: list[str] = []
    for number, entry in _lines(file):
        end = max(entry.rfind(b" "), entry.rfind(b"\t"))
        path, label = entry[: max(end, 0)], entry[end + 1 :]
        if not path or not _is_label(label):
            faults.append(f"line {number} ({os.fsdecode(entry)[:60]!r})")
            continue
        paths.append(os.fsdecode(path))
        labels.append(int(label))
        lines.append(number)
    if faults:
        raise DataError(
            f"{file}: {named(faults, len(paths) + len(faults), 'line')} not of the form 'path label', with a whole "
            "number after the last space"
        )
    if not paths:
        raise DataError(f"{file} lists no images")
    return ImageList(file, paths, np.array(labels, np.int32), np.array(lines, np.int32))


def read_vectors(file: str, count: int) -> tuple[ImageList, np.ndarray]:
    """Read a list whose lines end with `count` numbers, apart by spaces or tabs: the images, and (n, count) float32.

    The images' own labels are 0.  Raises DataError as `read_list` does.
    """
    paths: list[str] = []
    vectors: list[list[float]] = []
    lines: list[int] = []
    faults: list[str] = []
    for number, entry in _lines(file):
        path, *words = entry.rsplit(None, count)
        vector = [value for word in words if (value := _number(word)) is not None]
        if len(vector) != count:
            faults.append(f"line {number} ({os.fsdecode(entry)[:60]!r})")
            continue
        paths.append(os.fsdecode(path))
        vectors.append(vector)
        lines.append(number)
    if faults:
        raise DataError(
            f"{file}: {named(faults, len(paths) + len(faults), 'line')} not of the form 'path' and {count} numbers"
        )
    if not paths:
        raise DataError(f"{file} lists no images")
    images = ImageList(file, paths, np.zeros(len(paths), np.int32), np.array(lines, np.int32))
    return images, np.array(vectors, np.float32)


def _number(word: bytes) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def read_lines(file: str, what: str) -> list[tuple[int, str]]:
    """The lines of a list of paths alone, each with its number; raises DataError where there are none."""
    found = [(number, os.fsdecode(entry.lstrip())) for number, entry in _lines(file)]
    if not found:
        raise DataError(f"{file} lists no {what}")
    return found


def _lines(file: str) -> list[tuple[int, bytes]]:
    """The lines that have something on them, from 1, without spaces at their ends, and the file's mark of UTF-8."""
    try:
        with open(file, "rb") as stream:
            text = stream.read()
    except OSError as fault:
        raise DataError(f"{file} can't be read: {fault.strerror}") from None
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise DataError(f"{file} is text in UTF-16; save it as UTF-8")
    text = text.removeprefix(codecs.BOM_UTF8)
    stripped = enumerate((line.rstrip() for line in text.split(b"\n")), 1)
    return [(number, entry) for number, entry in stripped if entry]


def _is_label(text: bytes) -> bool:
    digits = text[1:] if text[:1] in (b"-", b"+") else text
    return digits.isdigit() and len(digits) <= 10 and -(2**31) <= int(text) < 2**31


def named(faults: Sequence[str], total: int, what: str) -> str:
    """`3 of 100 lines (a, b, c) are`: a count and the first of several faults."""
    more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    noun, verb = what if total == 1 else f"{what}s", "is" if len(faults) == 1 else "are"
    return f"{len(faults)} of {total} {noun} ({', '.join(faults[:SHOWN])}{more}) {verb}"


def folder_of(paths: Sequence[str], file: str) -> str:
    """What stands before the paths of a list without a root: nothing, or the list's own folder where they are there."""
    first, beside = paths[0], os.path.join(os.path.dirname(file), "")
    return beside if not os.path.exists(first) and os.path.exists(beside + first) else ""


def prefix_of(root: str) -> str:
    """What Caffe puts before each path of a list: `root`, with the `/` that a folder's name may lack."""
    return f"{root}/" if root and not root.endswith("/") and os.path.isdir(root) else root
