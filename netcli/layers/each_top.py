"""Settings that are given once for all tops, or once for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from netcli.errors import ShapeError

T = TypeVar("T")


def for_each_top(values: Sequence[T], tops: int, field: str, *, needed: bool) -> list[T]:
    """A value for each of so many tops; [] where none is given, unless one is needed.

    field: its path below the layer, for the ShapeError about another number of values.
    """
    if len(values) in (1, tops) or (not needed and not values):
        return list(values) * tops if len(values) == 1 else list(values)
    raise ShapeError(
        f"{field.rpartition('.')[2]} is given {len(values)} times for {tops} top{'' if tops == 1 else 's'}; "
        f"give one for each{' or one for all' if needed else ', one for all, or none'}",
        field=field,
    )
