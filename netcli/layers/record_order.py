"""In which order the records of a source come."""

from __future__ import annotations

from typing import Any

from netcli.arrays import random


class RecordOrder:
    """0 .. count-1 in their order, or in another one in each epoch, drawn from seed, purpose and epoch alone.

    seed: None keeps the order.
    """

    def __init__(self, count: int, seed: int | None, purpose: str) -> None:
        self._count, self._seed, self._purpose = count, seed, purpose
        self._drawn: tuple[int, Any] = (-1, None)  # the last epoch asked for, and its order

    def __call__(self, epoch: int, index: int) -> int:
        """Which record comes at place `index` of an epoch."""
        if self._seed is None:
            return index
        if self._drawn[0] != epoch:
            self._drawn = (epoch, random.permutation(self._seed, self._purpose, epoch, self._count))
        return int(self._drawn[1][index])
