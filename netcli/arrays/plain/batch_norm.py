"""Normalisation by the mean and variance of each channel.

Ioffe & Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
Shift", ICML 2015, arXiv:1502.03167.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace


class BatchNorm:
    """See `Ops.batch_norm`."""

    def __init__(self, x_shape: Shape, eps: float, use_global: bool, affine: bool, relu: bool, dtype: Any) -> None:
        self.eps, self.use_global, self.affine, self.relu = eps, use_global, affine, relu
        self.inner = tuple(range(2, len(x_shape)))
        self.channel = (-1, *[1] * (len(x_shape) - 2))  # (C,) beside x
        self.positive: Any = None  # of y, with relu
        self._count, self._itemsize = count_of(x_shape), np.dtype(dtype).itemsize

    def _mean(self, x: Any) -> Any:
        # Image by image first: in float32 long sums lose digits.
        return x.mean(self.inner).mean(0)

    def _beside(self, c: Any) -> Any:
        return c.reshape(self.channel)

    def forward(self, x: Any, mean: Any, var: Any, s: Any, b: Any, y: Any) -> None:
        if not self.use_global:
            mean[...] = self._mean(x)
        np.subtract(x, self._beside(mean), out=y)
        if not self.use_global:
            var[...] = self._mean(np.square(y))
        y /= self._beside(np.sqrt(var + self.eps))
        if self.affine:
            y *= self._beside(s)
            y += self._beside(b)
        if self.relu:
            self.positive = y > 0
            np.maximum(y, 0, out=y)

    def backward(self, x: Any, mean: Any, var: Any, s: Any, dy: Any, dx: Any, ds: Any, db: Any) -> None:
        sigma = self._beside(np.sqrt(var + self.eps))
        if self.relu:
            dy = dy * self.positive
        if self.affine or not self.use_global:
            xhat = (x - self._beside(mean)) / sigma
            mean_dy, mean_dy_xhat = self._mean(dy), self._mean(dy * xhat)
        if self.affine:
            count = x.size // len(mean)
            np.multiply(mean_dy_xhat, count, out=ds)
            np.multiply(mean_dy, count, out=db)
        if self.use_global:
            np.divide(dy, sigma, out=dx)
        else:
            # dx = (dy - mean(dy) - xhat mean(dy xhat)) / sigma
            xhat *= self._beside(mean_dy_xhat)
            xhat += self._beside(mean_dy)
            np.subtract(dy, xhat, out=dx)
            dx /= sigma
        if self.affine:
            dx *= self._beside(s)

    def work_space(self, calls: Calls) -> WorkSpace:
        # Squares; or xhat, its product with dy, and dy behind the ReLU.
        arrays = 2 + self.relu if calls.backward else 1
        return WorkSpace(self._count * self.relu, self._count * self._itemsize * arrays)
