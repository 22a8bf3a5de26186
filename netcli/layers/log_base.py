"""The base of Exp and Log."""

from __future__ import annotations

import math

from netcli.errors import ShapeError


def log_base(base: float, field: str) -> float:
    """The natural logarithm of a base; -1 stands for e.  Raises ShapeError for one that has none."""
    if base == -1:
        return 1.0
    if not 0 < base < math.inf:
        raise ShapeError(f"base is {base:g}; it must be above 0, or -1 for e", field=field)
    return math.log(base)
