"""In which order the records of a source come."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays import random


class RecordOrder:
    """0 .. count-1 in their order, or in another one in each epoch, drawn from seed, purpose and epoch alone.

    seed: None keeps the order.
    window: records that follow each other and stay together, shuffled among themselves, as are the windows; 0: all.
    """

    def __init__(self, count: int, seed: int | None, purpose: str, window: int = 0) -> None:
        self._count, self._seed, self._purpose, self._window = count, seed, purpose, window
        self._drawn: tuple[int, Any] = (-1, None)  # the last epoch asked for, and its order

    def __call__(self, epoch: int, index: int) -> int:
        """Which record comes at place `index` of an epoch."""
        if self._seed is None:
            return index
        if self._drawn[0] != epoch:
            self._drawn = (epoch, self._order(self._seed, epoch))
        return int(self._drawn[1][index])

    def _order(self, seed: int, epoch: int) -> Any:
        order = random.permutation(seed, self._purpose, epoch, self._count)
        if not 0 < self._window < self._count:
            return order
        windows = -(-self._count // self._window)
        place = np.argsort(random.permutation(seed, f"{self._purpose} windows", epoch, windows))
        return order[np.argsort(place[order // self._window], kind="stable")]
