"""Arrays joined along an axis: each is a range of every row of the result, as it lies in memory."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import Ports, accept
from netcli.arrays.layout import Shape, count_of


class Concat:
    """See `Ops.concat`."""

    def __init__(self, card: CudaDevice, shapes: Sequence[Shape], axis: int, dtype: Any) -> None:
        accept(dtype)
        self._card, self._dtype = card, dtype
        self.y_shape = (*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])
        order = (0, 2, 3, 1) if len(self.y_shape) == 4 else tuple(range(len(self.y_shape)))
        inner = order[order.index(axis) :]  # what a row has of the axes
        widths = [count_of(tuple(shape[i] for i in inner)) for shape in shapes]
        counts = [count_of(shape) for shape in shapes]
        firsts = [end - width for width, end in zip(widths, accumulate(widths), strict=True)]
        self._numbers = [
            (width, sum(widths), first, count) for width, first, count in zip(widths, firsts, counts, strict=True)
        ]
        self._of_y, self._of_xs = Ports(card, self.y_shape, dtype), [Ports(card, shape, dtype) for shape in shapes]

    def _kernels(self, name: str) -> list[Any]:
        wide = count_of(self.y_shape)
        return [self._card.kernel("concat", name, self._dtype, items=count, wide=wide) for *_, count in self._numbers]

    @cached_property
    def _join(self) -> Call:
        kernels = self._kernels("join")

        def join(*arrays: Any) -> None:
            *xs, y = arrays
            for kernel, x, numbers in zip(kernels, xs, self._numbers, strict=True):
                kernel(x, y, *numbers)

        return Call(join, (*(of.read for of in self._of_xs), self._of_y.written))

    @cached_property
    def _part(self) -> Call:
        kernels = self._kernels("part")

        def part(dy: Any, *dxs: Any) -> None:
            for kernel, dx, numbers in zip(kernels, dxs, self._numbers, strict=True):
                if dx is not None:
                    kernel(dy, dx, *numbers)

        return Call(part, (self._of_y.read, *(of.maybe_written for of in self._of_xs)))

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        self._join.run((*xs, y))

    def backward(self, dy: Any, dxs: Sequence[Any]) -> None:
        self._part.run((dy, *dxs))
