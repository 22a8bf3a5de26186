"""Normalisation by the batch: exact statistics, and oneDNN with them.

oneDNN's own statistics are running sums in float32: of 800,000 items in a channel, outputs are off by 1e-3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.compiled.along import sizes
from netcli.arrays.compiled.call import Call, Port
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.onednn.batch_norm import BatchNorm as Normalisation
from netcli.arrays.ops import Unsupported

WIDTH = 64  # items of a row that are summed side by side, where rows of few channels are put together to longer ones
SAMPLE = 32  # rows by which the mean is guessed


class BatchNorm:
    """See `Ops.batch_norm`.

    One pass over x gives the sums of d and d ** 2, d = x - guess; var = mean(d ** 2) - mean(d) ** 2 keeps its digits
    where the guess is near the mean, as that of some rows throughout the batch is.
    """

    def __init__(self, x_shape: Shape, eps: float, use_global: bool, affine: bool, relu: bool, dtype: Any) -> None:
        accept(dtype, x_shape)
        if use_global:
            raise Unsupported("given statistics need no sums")
        self._normalisation = Normalisation(x_shape, eps, use_global, affine, relu, dtype, is_given=True)
        channels, inner, _, _, rows = sizes(x_shape, 1, 2)
        if inner > 1:
            raise Unsupported("the channels of an item do not lie side by side")
        self._rows, self._channels = rows, channels
        together = 1
        while 2 * together * channels <= WIDTH and rows % (2 * together) == 0:
            together *= 2
        self._together = together
        self._parts = parts_of(count_of(x_shape))
        self._width = together * channels
        self._shift = np.empty(self._width, np.float32)
        ports = (Port(x_shape), Port((self._width,)))
        self._moments = Call(kernel("moments", "moments", self._parts), ports)
        self._step = max(1, rows // SAMPLE)

    def forward(self, x: Any, mean: Any, var: Any, s: Any, b: Any, y: Any) -> None:
        with np.errstate(all="ignore"):  # what is not finite shows in the results
            self._find(x, mean, var)
        self._normalisation.forward(x, mean, var, s, b, y)

    def _find(self, x: Any, mean: Any, var: Any) -> None:
        """The statistics of the batch."""
        rows = np.moveaxis(x, 1, -1).reshape(self._rows, self._channels)
        guess = rows[:: self._step].mean(0)
        self._shift.reshape(self._together, -1)[:] = guess
        sums = np.zeros((self._parts, 2, self._width))
        into = sums if self._parts > 1 else sums[0]
        self._moments.run((x, self._shift), into, self._width, 0, self._rows // self._together)
        d, squares = sums.sum(0).reshape(2, self._together, -1).sum(1) / self._rows
        mean[...] = guess + d
        var[...] = np.maximum(squares - d * d, 0)

    def backward(self, x: Any, mean: Any, var: Any, s: Any, dy: Any, dx: Any, ds: Any, db: Any) -> None:
        self._normalisation.backward(x, mean, var, s, dy, dx, ds, db)
