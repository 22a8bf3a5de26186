"""What a user's mistake is told as: one sentence, with the place it came from.

A fault travels upward and gathers its place on the way: the layer raises the numbers, the net adds
the layer, the reader's `Lines` add file and line.  The command line prints `str(error)` and exits
with status 2.  A fault of ours is any other exception, and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Place:
    """A file and, where it is a text, the line in it (from 1)."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


class NetcliError(Exception):
    """A fault of the user's: `message` is one sentence, without place or layer.

    field: the path of the prototxt field at fault below the layer or solver, such as
        "convolution_param.kernel_size"; it finds the line.
    """

    def __init__(self, message: str, *, place: Place | None = None, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.field = field
        self.layer: str | None = None

    def in_layer(self, name: str, type_name: str) -> NetcliError:
        """Add the layer that raised it, unless one is named already; returns self."""
        if self.layer is None:
            self.layer = f"layer '{name}' ({type_name})" if type_name else f"layer '{name}'"
        return self

    def at(self, place: Place | None) -> NetcliError:
        """Add the place, unless one is known already; returns self."""
        if self.place is None:
            self.place = place
        return self

    def __str__(self) -> str:
        return ": ".join(str(part) for part in (self.place, self.layer, self.message) if part is not None)


class PrototxtError(NetcliError):
    """Text or a message that the schema does not allow."""


class ShapeError(NetcliError):
    """Shapes, counts or parameters of a layer that do not fit together."""


class DataError(NetcliError):
    """A database, list or image that can't be read or does not hold what it should."""


class SnapshotError(NetcliError):
    """Weights or a solver state that can't be read, written or fitted to the net."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the known word nearest to `word`, whatever their case, or nothing."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), by_lower, 1)
    return f"; did you mean '{by_lower[near[0]]}'?" if near else ""
