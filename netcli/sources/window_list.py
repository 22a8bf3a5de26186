"""Window files: images, each with the windows on it that an object detector is trained with (R-CNN's form).

    # 0                        an image: its number, from 0, in the order of the file
    images/000005.jpg          its path
    3                          channels, height and width
    375
    500
    2                          how many windows follow
    7 0.8721 262 210 323 338   class, overlap with an object, and x1 y1 x2 y2, both ends included, from 0
    0 0.1033 10 20 110 140

What stands on which line doesn't matter, as in Caffe: only the order of the words does.
"""

from __future__ import annotations

import codecs
import contextlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from netcli.errors import DataError

FIELDS = ("class", "overlap", "x1", "y1", "x2", "y2")


class Window(NamedTuple):
    """One window: the number of its image, its label, its ends in pixels (both included), and its line, from 1."""

    image: int
    label: int
    x1: int
    y1: int
    x2: int
    y2: int
    line: int

    @property
    def box(self) -> tuple[int, int, int, int]:
        return self.x1, self.y1, self.x2, self.y2


@dataclass
class WindowList:
    """The content of a window file.

    sizes        (images, 2) int32, height and width as the file has them
    foreground   (n, 7) int32, rows of `Window`: overlap of at least fg_threshold
    background   (n, 7) int32, of the others those below bg_threshold, with label 0
    """

    file: str
    paths: list[str]
    lines: list[int]
    sizes: Any
    foreground: Any
    background: Any

    def __len__(self) -> int:
        """Windows of both kinds."""
        return len(self.foreground) + len(self.background)


def read_windows(file: str, fg_threshold: float, bg_threshold: float) -> WindowList:
    """Read a window file; raises DataError, with the line, where it is not of the form above.

    A window is refused too where it ends before it begins, or is foreground and has no class above 0.
    """
    paths: list[str] = []
    lines: list[int] = []
    sizes: list[tuple[int, int]] = []
    foreground: list[Any] = []
    background: list[Any] = []
    try:
        with open(file, "rb") as stream:
            words = _Words(file, stream)
            while words.more():
                path, line, size, count = _header(words, len(paths))
                windows, overlap = _windows(words, len(paths), count)
                is_fg = overlap >= np.float32(fg_threshold)
                is_bg = ~is_fg & (overlap < np.float32(bg_threshold))
                _check_classes(words, windows[is_fg])
                windows[is_bg, 1] = 0
                paths.append(path)
                lines.append(line)
                sizes.append(size)
                foreground.append(windows[is_fg])
                background.append(windows[is_bg])
    except OSError as fault:
        raise DataError(f"{file} can't be read: {fault.strerror}") from None
    if not paths:
        raise DataError(f"{file} lists no images")
    return WindowList(
        file, paths, lines, np.array(sizes, np.int32), np.concatenate(foreground), np.concatenate(background)
    )


def _header(words: _Words, number: int) -> tuple[str, int, tuple[int, int], int]:
    """Path, line, (height, width) and number of windows of the image that is due."""
    mark = words.next("'#' of an image")
    if mark != b"#":
        raise words.fault(
            f"{_shown(mark)} stands where the '#' of image {number} is due"
            + (f", after the windows of image {number - 1}" if number else "")
        )
    found = words.number("the number of an image")
    if found != number:
        raise words.fault(
            f"image {found} stands where {number} is due; images are numbered 0, 1, 2, ... in their order"
        )
    path = words.next("the path of an image").decode(errors="surrogateescape")
    line = words.line
    words.number("the channels of an image")
    size = words.number("the height of an image"), words.number("the width of an image")
    count = words.number("the number of windows")
    if count < 0:
        raise words.fault(f"an image can't have {count} windows")
    return path, line, size, count


def _windows(words: _Words, image: int, count: int) -> tuple[Any, Any]:
    """The windows of an image, (count, 7) int32, and their overlaps (count,) float32."""
    values, lines = words.rows(count)
    whole = np.delete(values, 1, axis=1)
    bad = ~(np.isfinite(values).all(axis=1) & (whole == np.rint(whole)).all(axis=1) & (abs(whole) < 2**31).all(axis=1))
    if bad.any():
        raise words.fault(
            "class and x1 y1 x2 y2 of a window are whole numbers, and its overlap is a finite one",
            int(lines[bad.argmax()]),
        )
    windows = np.empty((count, len(Window._fields)), np.int32)
    windows[:, 0], windows[:, 1:6], windows[:, 6] = image, whole, lines
    turned = (windows[:, 4] < windows[:, 2]) | (windows[:, 5] < windows[:, 3])
    if turned.any():
        window = Window(*windows[turned.argmax()].tolist())
        raise words.fault(
            f"a window from ({window.x1}, {window.y1}) to ({window.x2}, {window.y2}) ends before it begins", window.line
        )
    return windows, values[:, 1].astype(np.float32)


def _check_classes(words: _Words, foreground: Any) -> None:
    wrong = foreground[:, 1] <= 0
    if wrong.any():
        window = Window(*foreground[wrong.argmax()].tolist())
        raise words.fault(
            f"a window of the foreground has class {window.label}; its classes begin at 1, for 0 is the background",
            window.line,
        )


class _Words:
    """The words of a file one after another; `line` is that of the last one."""

    def __init__(self, file: str, stream: Iterable[bytes]) -> None:
        self.line = 0
        self._file = file
        self._lines = iter(stream)
        self._pending: deque[bytes] = deque()  # the rest of that line

    def more(self) -> bool:
        while not self._pending:
            text = next(self._lines, None)
            if text is None:
                return False
            self.line += 1
            self._pending.extend((text.removeprefix(codecs.BOM_UTF8) if self.line == 1 else text).split())
        return True

    def next(self, what: str) -> bytes:
        if not self.more():
            raise DataError(f"{self._file} ends where {what} is due; it is cut off")
        return self._pending.popleft()

    def number(self, what: str) -> int:
        word = self.next(what)
        try:
            return int(word)
        except ValueError:
            raise self.fault(f"{what} is a whole number, found {_shown(word)}") from None

    def rows(self, count: int) -> tuple[Any, Any]:
        """The numbers of `count` windows, (count, 6) float64, and the line on which each begins."""
        if not self._pending:  # a window on each line: read at once, for there may be millions
            before, text = self.line, list(islice(self._lines, count))
            self.line += len(text)
            with contextlib.suppress(ValueError):  # a word that is no number is looked for below
                values = np.fromiter(map(float, b"".join(text).split()), np.float64)
                if len(text) == count and values.size == count * len(FIELDS):
                    return values.reshape(count, len(FIELDS)), np.arange(before + 1, before + 1 + count, dtype=np.int32)
            self._go_back(before, text)
        values = np.empty((count, len(FIELDS)))
        lines = np.empty(count, np.int32)
        for row in range(count):
            for column, field in enumerate(FIELDS):
                word = self.next(f"{field} of window {row + 1} of {count}")
                lines[row] = self.line if column == 0 else lines[row]
                try:
                    values[row, column] = float(word)
                except ValueError:
                    raise self.fault(f"{field} of a window is a number, found {_shown(word)}") from None
        return values, lines

    def _go_back(self, line: int, text: list[bytes]) -> None:
        rest = self._lines
        self.line = line
        self._lines = (each for part in (text, rest) for each in part)

    def fault(self, message: str, line: int | None = None) -> DataError:
        return DataError(f"{self._file}:{self.line if line is None else line}: {message}")


def _shown(word: bytes) -> str:
    return repr(word[:40].decode(errors="replace"))
