"""Numbers from random words of 64 bits, as a kernel on a GPU can make them too."""

from __future__ import annotations

import math
from typing import Any

from netcli.arrays import random


def uniform(word: Any, low: float, high: float) -> float:
    """From low up to, not including, high."""
    return low + float(random.unit(word)) * (high - low)


def happens(word: Any, chance: float) -> bool:
    """True with this chance: never with 0, always with 1."""
    return float(random.unit(word)) < chance


def normals(first: Any, second: Any) -> tuple[float, float]:
    """Two independent normal numbers from two words (Box & Muller 1958)."""
    radius = math.sqrt(-2 * math.log(1 - float(random.unit(first))))  # 1 - u is above 0
    angle = 2 * math.pi * float(random.unit(second))
    return radius * math.cos(angle), radius * math.sin(angle)


def order(word: Any, count: int) -> list[int]:
    """0 .. count-1 in random order, each as likely as the others up to 2**-20 (Fisher & Yates); count is 4 at most."""
    places = list(range(count))
    rest = int(word)
    for last in range(count - 1, 0, -1):
        rest, at = divmod(rest, last + 1)
        places[last], places[at] = places[at], places[last]
    return places
