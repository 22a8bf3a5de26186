"""Dropout, drawn in parts: item i's half-word is a function of i alone."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from netcli.arrays import random
from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace

HALVES = 2 * random.WORDS  # half-words in a block


class Dropout:
    """See `Ops.dropout`."""

    def __init__(self, shape: Shape, ratio: float, dtype: Any) -> None:
        accept(dtype, shape)
        count = count_of(shape)
        parts = parts_of(count)
        self._threshold = np.uint64(math.ceil(ratio * 2**32))
        self._scale = 1 / (1 - ratio)
        # A byte for each item; the draws come in whole blocks.
        self._drawn = self._keep = np.empty(-(-count // HALVES) * HALVES, np.uint8)
        self._draw = kernel("dropout", "draw", parts)
        pixels = count_of(shape[2:]) if len(shape) == 4 else 1
        self._reorder = None
        if pixels > 1 and shape[1] > 1:  # Caffe's order is not that of memory
            self._keep = np.empty(count, np.uint8)
            self._reorder = functools.partial(kernel("dropout", "reorder", parts), self._drawn, self._keep)
            self._sizes = (shape[1], pixels)
        apply = kernel("dropout", "apply", parts)
        ports = Port(shape), Port(shape, is_read=False, is_written=True)
        self._forward, self._backward = Call(apply, ports), Call(apply, ports)

    def forward(self, x: Any, y: Any, seed: int, purpose: str, major: int) -> None:
        self._draw(self._drawn, 0, np.uint64(major), random.round_keys(seed, purpose), self._threshold)
        if self._reorder is not None:
            self._reorder(*self._sizes)
        self._forward.run((x, y), self._keep, self._scale)

    def backward(self, dy: Any, dx: Any) -> None:
        self._backward.run((dy, dx), self._keep, self._scale)

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(self._drawn.nbytes + (0 if self._keep is self._drawn else self._keep.nbytes))
