"""Local response normalisation across channels.

oneDNN keeps twice the size of x for the gradient, and is no faster (AlexNet's two, batch 64: 17 and 24 ms forward and
backward, the kernel 14 and 20).  Where nothing is kept it is (9 ms), but the nets that test one in training are to give
its bits.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.unsupported import Unsupported


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
        accept(dtype, x_shape)
        if region != "across" or beta != 0.75:
            raise Unsupported("the kernel is for sums across channels and the power 0.75")
        self._shape, parts = x_shape, parts_of(count_of(x_shape))
        self._numbers = (x_shape[1], size, alpha / size, float(k), 0, count_of(x_shape) // x_shape[1])
        self._read, self._written = Port(x_shape), Port(x_shape, is_read=False, is_written=True)
        self._parts = parts
        self._forward = Call(kernel("lrn", "normalise", parts), (self._read, self._written))

    @cached_property
    def _backward(self) -> Call:
        return Call(kernel("lrn", "gradient", self._parts), (self._read, self._read, self._written))

    def forward(self, x: Any, y: Any) -> None:
        self._forward.run((x, y), *self._numbers)

    def backward(self, x: Any, dy: Any, dx: Any) -> None:
        self._backward.run((x, dy, dx), *self._numbers)
