"""Normalisation by the mean and variance of each channel.

Ioffe & Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
Shift", ICML 2015, arXiv:1502.03167.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape


class BatchNorm:
    """See `Ops.batch_norm`."""

    def __init__(self, x_shape: Shape, eps: float, use_global: bool, dtype: Any) -> None:
        self.eps, self.use_global = eps, use_global
        self.inner = tuple(range(2, len(x_shape)))
        self.channel = (-1, *[1] * (len(x_shape) - 2))  # (C,) beside x

    def _mean(self, x: Any) -> Any:
        # Image by image first: in float32 long sums lose digits.
        return x.mean(self.inner).mean(0)

    def forward(self, x: Any, mean: Any, var: Any, y: Any) -> None:
        if not self.use_global:
            mean[...] = self._mean(x)
        np.subtract(x, mean.reshape(self.channel), out=y)
        if not self.use_global:
            var[...] = self._mean(np.square(y))
        y /= np.sqrt(var + self.eps).reshape(self.channel)

    def backward(self, x: Any, mean: Any, var: Any, dy: Any, dx: Any) -> None:
        sigma = np.sqrt(var + self.eps).reshape(self.channel)
        if self.use_global:
            np.divide(dy, sigma, out=dx)
            return
        # dx = (dy - mean(dy) - y mean(dy y)) / sigma
        y = (x - mean.reshape(self.channel)) / sigma
        y *= self._mean(dy * y).reshape(self.channel)
        y += self._mean(dy).reshape(self.channel)
        np.subtract(dy, y, out=dx)
        dx /= sigma
