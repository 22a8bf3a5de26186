"""Dropout; nothing is kept for the gradient but the iteration's number, since the draws can be made again."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.draws import Keys
from netcli.arrays.cuda.launch import Ports, accept
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.varying import Cell, Number
from netcli.arrays.work_space import Calls, WorkSpace

RUN = 8  # items of a thread: the half-words of a block of the generator
WARP = 32  # threads whose items a warp goes over together, the last of them beyond the end


class Dropout:
    """See `Ops.dropout`."""

    def __init__(self, card: CudaDevice, shape: Shape, ratio: float, dtype: Any) -> None:
        accept(dtype)
        count, pixels = count_of(shape), count_of(shape[2:]) if len(shape) == 4 else 1
        self._keys, self._major = Keys(card), Cell(card, np.uint64)
        self._left = card.zeros(1, np.uint64)  # the number of the last forward
        draw = (np.uint64(math.ceil(ratio * 2**32)), 1 / (1 - ratio))
        if pixels > 1 and shape[1] > 1:  # Caffe's order is not that of memory
            self._numbers: tuple[Any, ...] = (*draw, shape[0], shape[1], pixels)
            items = shape[0] * shape[1] * -(-pixels // RUN)
            kernel = card.kernel("dropout", "dropout_images", dtype, items=items, wide=count)
        else:
            self._numbers = (*draw, count)
            kernel = card.kernel("dropout", "dropout", dtype, items=-(-count // RUN), wide=count + WARP * RUN)
        ports = Ports(card, shape, dtype)
        self._forward, self._backward = (Call(kernel, (ports.read, ports.written)) for _ in range(2))
        self._drawn_with: Any = None

    def forward(self, x: Any, y: Any, seed: int, purpose: str, major: Number) -> None:
        self._drawn_with = self._keys.array(seed, purpose)
        self._forward.run((x, y), self._drawn_with, self._major.array(major), self._left, *self._numbers)

    def backward(self, dy: Any, dx: Any) -> None:
        self._backward.run((dy, dx), self._drawn_with, self._left, None, *self._numbers)

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(self._left.nbytes)
