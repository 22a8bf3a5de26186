"""Records of several sources, mixed by weight."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays import random
from netcli.layers.records import Source
from netcli.sources.image_file import Needs


class Mixture:
    """As many records in an epoch as the sources have together, each source with its share of them.

    weights  of the sources; 0: its number of records
    seed, purpose   what the order is drawn by, beside the epoch

    In each epoch a source gives the same number of records, at places that are drawn; its own records go on from one
    epoch to the next, in its own order, from the first to the last and over again.  So where each source stands is
    known at any place of the run without what came before.
    """

    def __init__(self, sources: Sequence[Source], weights: Sequence[float], seed: int, purpose: str) -> None:
        self._sources, self._seed, self._purpose = sources, seed, purpose
        self.counts = shares([len(source) for source in sources], weights)
        self._drawn: tuple[int, Any, Any] = (
            -1,
            None,
            None,
        )  # an epoch, which source is at each place, and its how manieth

    def __len__(self) -> int:
        return sum(self.counts)

    def _at(self, epoch: int, index: int) -> tuple[Source, int, int]:
        """The source of a record, and its own epoch and index."""
        if self._drawn[0] != epoch:
            places = random.permutation(self._seed, self._purpose, epoch, len(self))
            which = np.repeat(np.arange(len(self.counts)), self.counts)[places]
            rank = np.empty(len(which), np.int64)
            for source, count in enumerate(self.counts):
                rank[which == source] = np.arange(count)
            self._drawn = (epoch, which, rank)
        source = int(self._drawn[1][index])
        number = epoch * self.counts[source] + int(self._drawn[2][index])
        return self._sources[source], *divmod(number, len(self._sources[source]))

    def fetch(self, epoch: int, index: int) -> Any:
        source, *place = self._at(epoch, index)
        return source, source.fetch(*place)

    def decode(self, fetched: Any, need: Needs | None) -> tuple[Any, int]:
        source, stored = fetched
        result: tuple[Any, int] = source.decode(stored, need)
        return result

    def name(self, epoch: int, index: int) -> str:
        source, *place = self._at(epoch, index)
        return source.name(*place)

    def close(self) -> None:
        for source in self._sources:
            source.close()


def shares(lengths: Sequence[int], weights: Sequence[float]) -> list[int]:
    """How many records each source gives in an epoch: together as many as there are, each at least one.

    What is left by rounding down goes to the largest remainders.
    """
    wanted = np.array([weight or length for weight, length in zip(weights, lengths, strict=True)], np.float64)
    exact = wanted / wanted.sum() * sum(lengths)
    counts = np.floor(exact).astype(int)
    for source in np.argsort(counts - exact, kind="stable")[: sum(lengths) - counts.sum()]:
        counts[source] += 1
    return [max(1, int(count)) for count in counts]
