"""Normalisation by the mean and variance of each channel.

Statistics by one pass over x: each thread updates the mean and the squares of deviations with every item, and what the
threads found is put together in double.  No ReLU's sign is kept: it is found again from x.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import THREADS, CudaDevice, Kernel
from netcli.arrays.cuda.launch import Ports, accept, packed
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace

WARP = 32  # threads that deal with a channel's parts
BLOCKS = 8  # for each processor: as many as it holds at a time
LEAST = 8  # items of a thread, so that its sum is worth writing


class BatchNorm:
    """See `Ops.batch_norm`."""

    def __init__(
        self, card: CudaDevice, x_shape: Shape, eps: float, use_global: bool, affine: bool, relu: bool, dtype: Any
    ) -> None:
        accept(dtype)
        self._card, self._dtype, self._eps = card, np.dtype(dtype), float(eps)
        self._use_global, self._affine, self._relu = use_global, affine, relu
        self._count, channels = count_of(x_shape), x_shape[1]
        inner = 1 if len(x_shape) == 4 else count_of(x_shape[2:])
        items = x_shape[0] * count_of(x_shape[2:])
        self._pack = packed(channels) if inner == 1 else 1
        # Threads of a block side by side, each with its channels; the others of the block go down the items.
        packs = channels // self._pack
        width = min(WARP, 1 << max(0, packs - 1).bit_length()) if inner == 1 else 1
        tiles = -(-packs // width)
        least = LEAST * THREADS // width
        parts = max(1, min(BLOCKS * card.processors // max(1, tiles), -(-items // least)))
        self._units = tiles * parts
        self._order = (channels, inner)
        self._channels, self._items, self._parts, self._width = channels, items, parts, width
        both, of_channel = Ports(card, x_shape, dtype), Ports(card, (channels,), dtype)
        statistic = of_channel.read if use_global else of_channel.written
        given, gradient = of_channel.maybe_read, of_channel.maybe_written
        self._forward = Call(self._run_forward, (both.read, statistic, statistic, given, given, both.written))
        read = of_channel.read
        self._backward = Call(self._run_backward, (both.read, read, both.read, both.written, gradient, gradient))

    @cached_property
    def _factors(self) -> tuple[Any, Any, Any]:
        """For each channel: 1 / sqrt(var + eps), that times s, and b; forward's, which backward reads."""
        inverse, gain, offset = (self._card.empty(self._channels, self._dtype) for _ in range(3))
        return inverse, gain, offset

    @cached_property
    def _partial(self) -> Any:
        return self._card.empty(2 * self._channels * self._parts, np.float64)

    @cached_property
    def _means(self) -> tuple[Any, Any]:
        """For each channel the means of dy and of dy * xhat."""
        dy, dy_xhat = (self._card.empty(self._channels, self._dtype) for _ in range(2))
        return dy, dy_xhat

    def _kernel(self, name: str, **work: int) -> Kernel:
        return self._card.kernel("batch_norm", name, self._dtype, wide=self._count, **work)

    @cached_property
    def _moments(self) -> Kernel:
        return self._kernel("moments", rows=self._units)

    @cached_property
    def _statistics(self) -> Kernel:
        return self._kernel("statistics", items=self._channels * WARP)

    @cached_property
    def _find_factors(self) -> Kernel:
        return self._kernel("factors", items=self._channels)

    @cached_property
    def _normalise(self) -> Kernel:
        return self._kernel("normalise", items=-(-self._count // self._pack))

    @cached_property
    def _sums(self) -> Kernel:
        return self._kernel("sums", rows=self._units)

    @cached_property
    def _channel_sums(self) -> Kernel:
        return self._kernel("channel_sums", items=self._channels * WARP)

    @cached_property
    def _gradient(self) -> Kernel:
        return self._kernel("gradient", items=-(-self._count // self._pack))

    def forward(self, x: Any, mean: Any, var: Any, s: Any, b: Any, y: Any) -> None:
        self._forward.run((x, mean, var, s, b, y))

    def _run_forward(self, x: Any, mean: Any, var: Any, s: Any, b: Any, y: Any) -> None:
        _, gain, offset = self._factors
        given = (s, b) if self._affine else (None, None)
        if self._use_global:
            self._find_factors(var, *given, *self._factors, self._eps, self._channels)
        else:
            parts = (self._items, self._parts)
            self._moments(x, self._partial, *self._order, *parts, self._width)
            self._statistics(self._partial, mean, var, *given, *self._factors, self._eps, self._channels, *parts)
        self._normalise(x, y, mean, gain, offset, self._relu, *self._order, self._count)

    def backward(self, x: Any, mean: Any, var: Any, s: Any, dy: Any, dx: Any, ds: Any, db: Any) -> None:
        self._backward.run((x, mean, dy, dx, ds, db))

    def _run_backward(self, x: Any, mean: Any, dy: Any, dx: Any, ds: Any, db: Any) -> None:
        means: tuple[Any, Any] = (None, None)
        if self._affine or not self._use_global:
            parts = (self._items, self._parts)
            at = (mean, *self._factors, self._partial, self._relu)
            self._sums(x, dy, *at, *self._order, *parts, self._width)
            self._channel_sums(self._partial, ds, db, *self._means, self._channels, *parts)
            if not self._use_global:
                means = self._means
        self._gradient(x, dy, dx, mean, *self._factors, *means, self._relu, *self._order, self._count)

    def work_space(self, calls: Calls) -> WorkSpace:
        of_channels = (5 if calls.backward else 3) * self._channels * self._dtype.itemsize
        return WorkSpace(of_channels + 16 * self._channels * self._parts)
