"""What a layer says and is told of doing the next one's work; see `Layer.absorb`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Absorbed(Enum):
    """How much of the next layer's work a layer does beside its own."""

    NOTHING = 0
    FORWARD = 1  # its backward stays its own, and finds in the top what it would have written there
    ALL = 2


@dataclass(frozen=True)
class Chance:
    """Where a layer may absorb the one that reads its only top.

    backward: whether both run backward (else neither does)
    whole: whether the next layer's backward may be taken over too: it is not run, or all bottoms want their diffs
    in_place: whether the next layer writes over this one's top; else the top is left out, and nobody sees it
    """

    backward: bool
    whole: bool
    in_place: bool
