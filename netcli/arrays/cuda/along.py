"""How an array that lies along some axes of another is found from the other's items, in the order of memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import THREADS, CudaDevice
from netcli.arrays.cuda.launch import Ports
from netcli.arrays.layout import Shape, count_of

FEW = 32  # sums of parts that one thread adds up
LONG = 16  # items that a thread sums at least, before there are more threads


@dataclass(frozen=True)
class _Axis:
    """size; steps from an item to the next in x and in s, 0 there where s is repeated; whether s lies along it."""

    size: int
    x: int
    s: int
    is_kept: bool


class Along:
    """x, 4-D in channels-last memory and else in C order, and s of x_shape[axis:end] in C order.

    Axes that follow each other in both are taken together, so that few are left: as many as the kernels in
    kernels/channels.cu know.
    """

    def __init__(self, x_shape: Shape, axis: int, end: int) -> None:
        self.count, self.kept = count_of(x_shape), count_of(x_shape[axis:end])
        self.summed = count_of(x_shape[:axis]) * count_of(x_shape[end:])
        axes: list[_Axis] = []  # from the innermost one in memory outwards
        x_step = 1
        for i in reversed((0, 2, 3, 1) if len(x_shape) == 4 else range(len(x_shape))):
            size, is_kept = x_shape[i], axis <= i < end
            here = _Axis(size, x_step, count_of(x_shape[i + 1 : end]) if is_kept else 0, is_kept)
            x_step *= size
            inner = axes[-1] if axes else None
            if size == 1:
                continue
            if inner and inner.is_kept == is_kept and here.s == inner.s * inner.size:
                axes[-1] = _Axis(size * inner.size, inner.x, inner.s, is_kept)
            else:
                axes.append(here)
        self.keeps_innermost = bool(axes) and axes[0].is_kept
        padded = (axes + [_Axis(1, 0, 0, False)] * 4)[:4]
        self.places = (*(each.size for each in padded[:3]), *(each.s for each in padded), self.count)
        kept, summed = ([each for each in axes if each.is_kept is is_kept] for is_kept in (True, False))
        kept, summed = (kept + [_Axis(1, 0, 0, True)] * 3)[:3], (summed + [_Axis(1, 0, 0, False)] * 2)[:2]
        self.s_places = (*(each.size for each in kept[:2]), *(each.s for each in kept))
        of_x = (*(each.size for each in kept[:2]), *(each.x for each in kept), *(each.s for each in kept))
        self.axes = (*of_x, summed[0].size, *(each.x for each in summed))


class Sums:
    """The gradients of the numbers of `Along` and of offsets, and x's, by two kernels: in parts, and those together."""

    def __init__(self, card: CudaDevice, along: Along, x_shape: Shape, s_shape: Shape, dtype: Any) -> None:
        self._card, self._along, self._dtype = card, along, dtype
        self._of_x, self._of_s = Ports(card, x_shape, dtype), Ports(card, s_shape, dtype, channels_last=False)
        # In as many parts as fill the card, if each thread has some items to sum.
        kept = max(along.kept, 1)
        if along.keeps_innermost:
            wanted, most = card.processors * 2048 // kept, along.summed // LONG
        else:
            wanted, most = card.processors * 8 // kept, along.summed // (LONG * THREADS)
        self._parts = max(1, min(wanted, most))
        self._count = 2 * self._parts * along.kept

    @property
    def nbytes(self) -> int:
        return 8 * self._count

    @cached_property
    def _sums(self) -> Any:
        return self._card.empty(self._count, np.float64)

    @cached_property
    def _make(self) -> Call:
        along, made = self._along, self._parts * self._along.kept
        name, grid = ("sums_by_columns", {"items": made}) if along.keeps_innermost else ("sums_by_rows", {"rows": made})
        wide = max(along.count, self._count) + self._parts * THREADS
        kernel = self._card.kernel("channels", name, self._dtype, **grid, wide=wide)
        x, s = self._of_x, self._of_s
        return Call(kernel, (x.maybe_read, s.maybe_read, x.read, x.maybe_written))

    @cached_property
    def _join(self) -> Call:
        kept = self._along.kept
        name, grid = ("few_parts", {"items": kept}) if self._parts <= FEW else ("many_parts", {"rows": kept})
        kernel = self._card.kernel("channels", name, self._dtype, **grid, wide=self._count)
        return Call(lambda ds, db, *numbers: kernel(self._sums, ds, db, *numbers), (self._of_s.maybe_written,) * 2)

    def run(self, x: Any, s: Any, dy: Any, dx: Any, ds: Any, db: Any, slopes: bool) -> None:
        """slopes: s is one below zero.  x, s, dx, and ds or db may be None."""
        along, sizes = self._along, (self._parts, self._along.kept)
        self._make.run((x, s, dy, dx), self._sums, slopes, *sizes, along.summed, *along.axes)
        self._join.run((ds, db), *sizes, *along.s_places)
