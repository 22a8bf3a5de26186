"""Arrays joined along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape


class Concat:
    """See `Ops.concat`."""

    def __init__(self, shapes: Sequence[Shape], axis: int, dtype: Any) -> None:
        sizes = [shape[axis] for shape in shapes]
        self.axis = axis
        self.y_shape = (*shapes[0][:axis], sum(sizes), *shapes[0][axis + 1 :])
        self.parts = [
            (slice(None),) * axis + (slice(end - size, end),)
            for size, end in zip(sizes, accumulate(sizes), strict=True)
        ]

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        np.concatenate(xs, self.axis, out=y)

    def backward(self, dy: Any, dxs: Sequence[Any]) -> None:
        for part, dx in zip(self.parts, dxs, strict=True):
            if dx is not None:
                dx[...] = dy[part]
