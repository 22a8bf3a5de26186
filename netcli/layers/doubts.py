"""What may be wrong with numbers that are on a card.

Note [Doubts]: whether every label names a class is known on a card when it has been asked, and asking waits for the
card (Note [Late numbers] in arrays/late.py).  So a layer that finds wrong labels notes the first of them on the card
and goes on with a right one in its place; the net asks when its loss is read, and after every pass of a net that has no
gradients.  The sentence is the same as on the CPU.  Weights may have taken steps by then; none of them is stored, since
the loss is read before a snapshot is written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from netcli.arrays.device import Device
from netcli.arrays.layout import Shape
from netcli.errors import NetcliError

Refusal = Callable[[Shape, float], NetcliError]  # for the place of the first wrong number, and its value


@dataclass
class _Doubt:
    """About numbers of one shape; kept, (3,) on the device: whether one is wrong, its place, its value."""

    layer: Any
    shape: Shape
    kept: Any
    refusal: Refusal


class Doubts:
    """The first wrong number of each layer's, since they were last looked at."""

    def __init__(self, device: Device) -> None:
        self._device = device
        # of each layer, and for each shape that its numbers had since the last look: the last one's is used on
        self._of: dict[int, list[_Doubt]] = {}

    def note(self, layer: Any, values: Any, wrong: Any, refusal: Refusal) -> None:
        """Keep the first of the values that is wrong, as `wrong`, of the same shape, tells, if there is one."""
        xp = self._device.xp
        doubts = self._of.setdefault(id(layer), [])
        if not doubts or doubts[-1].shape != values.shape:
            doubts.append(_Doubt(layer, values.shape, self._device.zeros(3, np.float64), refusal))
        kept = doubts[-1].kept
        if values.size:
            wrong, values = wrong.reshape(-1), values.reshape(-1)
            place = wrong.argmax()
            found = xp.stack([each.astype(np.float64) for each in (wrong[place], place, values[place])])
            kept[...] = xp.where(kept[0] != 0, kept, found)

    def look(self) -> tuple[Any, NetcliError] | None:
        """A layer with a wrong number, and what is to be said of it, which is forgotten; None: all was right."""
        for doubts in self._of.values():
            for doubt in doubts:
                found, place, value = self._device.to_host(doubt.kept).tolist()
                if found:
                    doubt.kept.fill(0)
                    at = tuple(map(int, np.unravel_index(int(place), doubt.shape)))
                    return doubt.layer, doubt.refusal(at, value)
            del doubts[:-1]
        return None
