"""What will be taken of memory, as lines."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.cli import table
from netcli.training.memory import Part, total


def lines(found: Sequence[Part]) -> list[str]:
    """A line for each part, and their sum."""
    cells = [(part.name, table.size_of(part.nbytes)) for part in found]
    rows = table.lines(("", ""), [*cells, ("memory at the peak", table.size_of(total(found)))], left=1)[1:]
    notes = [f"({table.size_of(part.alone)} if each had its own place)" if part.alone else "" for part in found]
    return [f"{row} {note}".rstrip() for row, note in zip(rows, [*notes, ""], strict=True)]
