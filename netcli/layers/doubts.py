"""What may be wrong with numbers that are on a card.

Note [Doubts]: whether every label names a class is known on a card when it has been asked, and asking waits for the
card (Note [Late numbers] in arrays/late.py).  So a layer that finds wrong labels notes the first of them on the card
and goes on with a right one in its place; the net asks when its loss is read, and after every pass of a net that has no
gradients.  The sentence is the same as on the CPU.  Weights may have taken steps by then; none of them is stored, since
the loss is read before a snapshot is written.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape
from netcli.errors import NetcliError

# for the shape of numbers, the place of the first wrong one, and its value
Refusal = Callable[[Shape, Shape, float], NetcliError]


@dataclass
class Doubt:
    """About a layer's numbers of one shape.

    plan  `Ops.whole_numbers`
    """

    layer: Any
    key: tuple[Any, ...]  # what the plan was made for, the shape first
    plan: Any
    refusal: Refusal

    def look(self) -> None:
        """Raise if there was a wrong one; it is forgotten then."""
        found, place, value = self.layer.context.device.to_host(self.plan.wrong).tolist()
        if found:
            self.plan.wrong.fill(0)
            shape = self.key[0]
            raise self.refusal(shape, tuple(map(int, np.unravel_index(int(place), shape))), value)


class Doubts:
    """Those of a net's layers."""

    def __init__(self) -> None:
        # Of each layer: the last one's plan is used on; those before, of other shapes, are still to be looked at.
        self._of: dict[int, list[Doubt]] = {}

    def of(self, layer: Any, shape: Shape, limit: int, ignore: int | None, refusal: Refusal) -> Doubt:
        """That about numbers of this shape, to be 0 .. limit-1 or `ignore`."""
        doubts = self._of.setdefault(id(layer), [])
        key = (shape, limit, ignore)
        if not doubts or doubts[-1].key != key:
            doubts.append(Doubt(layer, key, layer.ops.whole_numbers(*key, layer.dtype), refusal))
        return doubts[-1]

    def look(self, about: Callable[[Any], AbstractContextManager[Any]]) -> None:
        """Raise what was found wrong since the last time, inside of the context that `about` has for its layer."""
        for doubts in self._of.values():
            for doubt in doubts:
                with about(doubt.layer):
                    doubt.look()
            del doubts[:-1]
