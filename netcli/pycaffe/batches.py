"""Any number of items through a net, in batches of its size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


def in_batches(arrays: Mapping[str, Any], size: int) -> Iterator[dict[str, Any]]:
    """The arrays' items, `size` at a time, the last filled up with zeros; raises ValueError for other lengths."""
    counts = {len(array) for array in arrays.values()}
    if len(counts) != 1:
        raise ValueError(f"takes arrays of one length for all names, got {sorted(counts) or 'none'}")
    (count,) = counts
    for start in range(0, count, size):
        batch = {}
        for name, array in arrays.items():
            items = np.asarray(array[start : start + size])
            missing = size - len(items)
            batch[name] = np.concatenate([items, np.zeros((missing, *items.shape[1:]))]) if missing else items
        yield batch


class Gathered:
    """What the batches gave, by name."""

    def __init__(self) -> None:
        self._found: dict[str, list[Any]] = {}

    def add(self, arrays: Mapping[str, Any]) -> None:
        """Keep copies of a batch's arrays."""
        for name, array in arrays.items():
            self._found.setdefault(name, []).append(np.atleast_1d(array).copy())

    def joined(self, count: int) -> dict[str, Any]:
        """The batches' arrays as one, without what was filled up."""
        return {name: np.concatenate(arrays)[:count] for name, arrays in self._found.items()}
