"""Local response normalisation.

Krizhevsky, Sutskever & Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
NIPS 2012, section 3.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of, view
from netcli.arrays.work_space import Calls, WorkSpace

BLOCK_BYTES = 1 << 20  # of squares being summed: so much stays in the cache


class LRN:
    """See `Ops.lrn`."""

    def __init__(
        self,
        x_shape: Shape,
        region: str,
        size: int,
        alpha: float,
        beta: float,
        k: float,
        dtype: Any,
        gradients: bool = True,
    ) -> None:
        across = region == "across"
        self.axes = (1,) if across else (2, 3)
        self.reach = size // 2
        self.scale = alpha / (size if across else size * size)
        self.beta, self.k = beta, k
        image = np.dtype(dtype).itemsize * count_of(x_shape[1:])
        self.images = max(1, min(x_shape[0], BLOCK_BYTES // max(1, image)))
        self.starts = range(0, x_shape[0], self.images)
        block = (self.images, *x_shape[1:])
        self.s = view(np.empty(count_of(block), dtype), block, channels_last=True)

    def _window_sums(self, x: Any) -> Any:
        """Sums over the window around each item; zeros outside."""
        for axis in self.axes:
            sums = x.copy(order="K")
            for offset in range(1, min(self.reach, x.shape[axis] - 1) + 1):
                near = (slice(None),) * axis + (slice(None, -offset),)
                far = (slice(None),) * axis + (slice(offset, None),)
                sums[near] += x[far]
                sums[far] += x[near]
            x = sums
        return x

    def _blocks(self) -> list[slice]:
        return [slice(n, n + self.images) for n in self.starts]

    def _s(self, x: Any) -> Any:
        """Of a block of images."""
        s = self.s[: len(x)]
        np.multiply(self._window_sums(np.square(x)), self.scale, out=s)
        s += self.k
        return s

    def forward(self, x: Any, y: Any) -> None:
        for n in self._blocks():
            np.multiply(x[n], np.power(self._s(x[n]), -self.beta), out=y[n])

    def backward(self, x: Any, dy: Any, dx: Any) -> None:
        # dx_i = dy_i s_i^-beta - 2 alpha beta / n x_i sum_j dy_j x_j s_j^-beta / s_j over the windows j that i is in,
        # which are those around the items of the window around i.
        for n in self._blocks():
            s = self._s(x[n])
            scaled = dy[n] * np.power(s, -self.beta)
            ratio = self._window_sums(scaled * x[n] / s)
            ratio *= x[n]
            ratio *= 2 * self.scale * self.beta
            np.subtract(scaled, ratio, out=dx[n])

    def work_space(self, _calls: Calls) -> WorkSpace:
        return WorkSpace(self.s.nbytes)
