"""Decoded images kept in memory, up to a limit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

Decoded = tuple[Any, int]  # an image and its label


class ImageCache:
    """The first images that are asked for, as many as fit in `limit` bytes; others are made anew each time.

    None is ever put out: with records in random order any that is kept is as good as another.  For any number of
    threads.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: dict[int, Decoded] = {}
        self._lock = threading.Lock()
        self.nbytes = 0

    def get(self, number: int, make: Callable[[], Decoded]) -> Decoded:
        """The image of record `number`, by `make` where it is not kept."""
        found = self._kept.get(number)
        if found is not None:
            return found
        image, label = made = make()
        with self._lock:
            if self.nbytes + image.nbytes <= self._limit and number not in self._kept:
                # A view of a database's pages would not outlive it, nor be in memory.
                kept = np.array(image, order="K") if image.base is not None else image
                kept.flags.writeable = False
                self._kept[number] = kept, label
                self.nbytes += kept.nbytes
        return made
