"""Pooling along the width, then along the height of what that gives.

A window's maximum is the maximum of its rows' maxima, and its sum that of its rows' sums, so KH + KW
steps do for a window of KH x KW cells.  The first maximum in row order is the first in the first row
that has it, so the two steps keep Caffe's choice among equals.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of, view
from netcli.arrays.work_space import Calls, WorkSpace

BLOCK_BYTES = 1 << 20  # of results between the two steps: so much stays in the cache


class Line:
    """Windows along one axis (2: height, 3: width), and the steps over their cells."""

    def __init__(self, axis: int, size: int, out: int, kernel: int, stride: int, pad: int) -> None:
        starts = np.arange(out) * stride - pad
        # Caffe divides by the window clipped to the image with its padding, on the far side only.
        self.lengths = np.minimum(starts + kernel, size + pad) - starts
        self.starts = starts
        # One-based, 0 is for a window without a maximum.
        self.winner_dtype = np.uint8 if kernel < 256 else np.int32
        self.cells: list[tuple[int, Any, Any]] = []  # its number from 1, the windows that have it, the items it is
        rest = (slice(None),) * (3 - axis)
        for cell in range(kernel):
            inside = np.flatnonzero((starts + cell >= 0) & (starts + cell < size))
            if len(inside):
                first, last = int(inside[0]), int(inside[-1])
                items = slice(int(starts[first]) + cell, int(starts[last]) + cell + 1, stride)
                self.cells.append((cell + 1, (..., slice(first, last + 1), *rest), (..., items, *rest)))

    def maxima(self, x: Any, y: Any, winner: Any, better: Any) -> None:
        """The largest item of each window and the number of its first cell; better: memory for booleans."""
        # Caffe starts from the lowest number and takes what is greater: NaN and -inf are never taken.
        y.fill(np.finfo(y.dtype).min)
        winner.fill(0)
        for number, windows, items in self.cells:
            now, best = x[items], y[windows]
            found = np.greater(now, best, out=better[windows])
            np.fmax(now, best, out=best)
            # Numbers rise, so the last cell that was better is the largest number; and no branch is needed.
            np.maximum(winner[windows], found * winner.dtype.type(number), out=winner[windows])

    def spread_to_maxima(self, dy: Any, winner: Any, dx: Any) -> None:
        dx.fill(0)
        for number, windows, items in self.cells:
            dx[items] += dy[windows] * (winner[windows] == number)

    def sums(self, x: Any, y: Any) -> None:
        y.fill(0)
        for _, windows, items in self.cells:
            y[windows] += x[items]

    def spread(self, dy: Any, dx: Any) -> None:
        dx.fill(0)
        for _, windows, items in self.cells:
            dx[items] += dy[windows]


class Pool:
    """See `Ops.pool`.

    A window wholly outside the image (Caffe's rounding up makes such where the stride is larger than the
    kernel) gives the lowest number of the dtype, mask -1, or the average 0, and no gradient.
    """

    def __init__(
        self,
        x_shape: Shape,
        y_shape: Shape,
        method: str,
        kernel: Shape,
        stride: Shape,
        pad: Shape,
        mask: bool,
        dtype: Any,
        gradients: bool = True,
    ) -> None:
        images, channels, *size = x_shape
        self.width = size[1]
        self.is_max = method == "max"
        self.high, self.wide = (Line(2 + i, size[i], y_shape[2 + i], kernel[i], stride[i], pad[i]) for i in range(2))
        between = (channels, size[0], y_shape[3])
        self.images = max(1, min(images, BLOCK_BYTES // max(1, count_of(between) * np.dtype(dtype).itemsize)))
        self.between = self._memory((self.images, *between), dtype)
        if self.is_max:
            rows = max(size[0], y_shape[2])  # of either step: with padding there may be more windows than rows
            self.better = self._memory((self.images, channels, rows, y_shape[3]), np.bool_)
            # Backward and the mask ask for all winners, forward for those of a block.
            kept = images if gradients or mask else self.images
            self.winner_wide = self._memory((kept, *between), self.wide.winner_dtype)
            self.winner_high = self._memory((kept, *y_shape[1:]), self.high.winner_dtype)
        else:
            area = np.outer(self.high.lengths, self.wide.lengths)
            self.factor = (1 / np.where(area > 0, area, 1)).astype(dtype)

    @staticmethod
    def _memory(shape: Shape, dtype: Any) -> Any:
        return view(np.empty(count_of(shape), dtype), shape, channels_last=True)

    def _blocks(self, x: Any) -> list[tuple[slice, Any]]:
        """Images to be done at a time, and memory for what is between the two steps."""
        starts = range(0, len(x), self.images)
        return [(slice(n, n + self.images), self.between[: min(self.images, len(x) - n)]) for n in starts]

    def forward(self, x: Any, y: Any) -> None:
        for n, between in self._blocks(x):
            if self.is_max:
                better = self.better[: len(between)]
                kept = n if len(self.winner_wide) == len(x) else slice(len(between))
                self.wide.maxima(x[n], between, self.winner_wide[kept], better[:, :, : between.shape[2]])
                self.high.maxima(between, y[n], self.winner_high[kept], better[:, :, : y.shape[2]])
            else:
                self.wide.sums(x[n], between)
                self.high.sums(between, y[n])
                y[n] *= self.factor

    def backward(self, dy: Any, dx: Any) -> None:
        for n, between in self._blocks(dx):
            if self.is_max:
                self.high.spread_to_maxima(dy[n], self.winner_high[n], between)
                self.wide.spread_to_maxima(between, self.winner_wide[n], dx[n])
            else:
                self.high.spread(dy[n] * self.factor, between)
                self.wide.spread(between, dx[n])

    def work_space(self, _calls: Calls) -> WorkSpace:
        winners = (self.better, self.winner_wide, self.winner_high) if self.is_max else ()
        return WorkSpace(sum(array.nbytes for array in (self.between, *winners)))

    @property
    def mask(self) -> Any:
        """See `Ops.pool`; -1 for a window without a maximum."""
        high = self.winner_high.astype(np.int64)
        rows = np.where(high > 0, self.high.starts[:, None] + high - 1, 0)
        wide = np.take_along_axis(self.winner_wide, rows, 2).astype(np.int64)
        return np.where(high > 0, rows * self.width + self.wide.starts + wide - 1, -1)
