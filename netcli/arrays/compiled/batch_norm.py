"""Normalisation by the batch: exact statistics, and oneDNN with them.

oneDNN's own statistics are running sums in float32: of 800,000 items in a channel, outputs are off by 1e-3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.along import sizes
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.onednn.batch_norm import GivenBatchNorm
from netcli.arrays.unsupported import Unsupported
from netcli.arrays.work_space import Calls, WorkSpace

WIDTH = 64  # items of a row that are summed side by side, where rows of few channels are put together to longer ones
SAMPLE = 32  # items of a channel by which its mean is guessed


class BatchNorm:
    """See `Ops.batch_norm`.

    One pass over x gives the sums of d and d ** 2, d = x - guess; var = mean(d ** 2) - mean(d) ** 2 keeps its digits
    where the guess is near the mean, as that of some items throughout the batch is.
    """

    def __init__(self, x_shape: Shape, eps: float, use_global: bool, affine: bool, relu: bool, dtype: Any) -> None:
        accept(dtype, x_shape)
        if use_global:
            raise Unsupported("given statistics need no sums")
        self._normalisation = GivenBatchNorm(x_shape, eps, use_global, affine, relu, dtype)
        channels, inner, _, _, rows = sizes(x_shape, 1, 2)
        together = 1
        while inner == 1 and 2 * together * channels <= WIDTH and rows % (2 * together) == 0:
            together *= 2
        self._channels, self._together, self._count = channels, together, rows * inner
        self._numbers = (together * channels, inner, 0, rows // together)
        self._parts = parts_of(count_of(x_shape))
        self._shift = np.empty(together * channels, np.float32)
        self._moments = Call(kernel("moments", "moments", self._parts), (Port(x_shape), Port(self._shift.shape)))

    def forward(self, x: Any, mean: Any, var: Any, s: Any, b: Any, y: Any) -> None:
        with np.errstate(all="ignore"):  # what is not finite shows in the results
            self._find(x, mean, var)
        self._normalisation.forward(x, mean, var, s, b, y)

    def _find(self, x: Any, mean: Any, var: Any) -> None:
        """The statistics of the batch."""
        items = np.moveaxis(x, 1, -1).reshape(-1, self._channels)
        guess = items[:: max(1, self._count // SAMPLE)].mean(0)
        self._shift.reshape(self._together, -1)[:] = guess
        sums = np.zeros((self._parts, 2, self._shift.size))
        into = sums if self._parts > 1 else sums[0]
        self._moments.run((x, self._shift), into, *self._numbers)
        d, squares = sums.sum(0).reshape(2, self._together, -1).sum(1) / self._count
        mean[...] = guess + d
        var[...] = np.maximum(squares - d * d, 0)

    def backward(self, x: Any, mean: Any, var: Any, s: Any, dy: Any, dx: Any, ds: Any, db: Any) -> None:
        self._normalisation.backward(x, mean, var, s, dy, dx, ds, db)

    def work_space(self, calls: Calls) -> WorkSpace:
        return self._normalisation.work_space(calls)
