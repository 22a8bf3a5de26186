"""Dropout.

Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov, "Dropout: A Simple Way to Prevent Neural
Networks from Overfitting", JMLR 15, 2014; what is kept is scaled up in training, as in Caffe.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from netcli.arrays import random
from netcli.arrays.layout import Shape, count_of, view
from netcli.arrays.work_space import Calls, WorkSpace

BLOCK = 1 << 14  # blocks of the stream drawn at a time: half a megabyte of words
HALVES = 2 * random.WORDS  # half-words in a block


class Dropout:
    """See `Ops.dropout`."""

    def __init__(self, shape: Shape, ratio: float, dtype: Any) -> None:
        self.count = count_of(shape)
        self.threshold = np.uint32(math.ceil(ratio * 2**32))
        self.scale = 1 / (1 - ratio)
        self.drawn = np.empty(self.count, np.bool_)  # in Caffe's order
        # In the order of the activations; for most shapes the same, and then the same memory.
        self.keep = view(self.drawn, shape, channels_last=True)
        if not self.keep.flags.c_contiguous:
            self.keep = self.keep.copy(order="K")

    def _draw(self, seed: int, purpose: str, major: int) -> None:
        for first in range(0, self.count, BLOCK * HALVES):
            part = self.drawn[first : first + BLOCK * HALVES]
            words = random.words(seed, purpose, major, first // HALVES, -(-part.size // HALVES))
            halves = words.astype("<u8", copy=False).view("<u4").reshape(-1)  # the lower half of a word first
            np.greater_equal(halves[: part.size], self.threshold, out=part)
        if not np.may_share_memory(self.keep, self.drawn):
            self.keep[...] = self.drawn.reshape(self.keep.shape)

    def _apply(self, x: Any, y: Any) -> None:
        np.multiply(x, self.keep, out=y)
        y *= self.scale

    def forward(self, x: Any, y: Any, seed: int, purpose: str, major: int) -> None:
        self._draw(seed, purpose, major)
        self._apply(x, y)

    def backward(self, dy: Any, dx: Any) -> None:
        self._apply(dy, dx)

    def work_space(self, _calls: Calls) -> WorkSpace:
        shared = np.may_share_memory(self.keep, self.drawn)
        return WorkSpace(self.drawn.nbytes + (0 if shared else self.keep.nbytes))
