"""Convolution by matrix products: the windows of x as rows, the filters as columns (see plain/conv.py).

G: groups  C: channels  M: filters  P: positions of the filters, image by image

Windows are unrolled for some positions at a time, so that memory stays bounded.  The gradient of x is gathered: each
of its items sums what the windows that see it have for it, in a fixed order.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from netcli.arrays.cuda.device import CudaDevice, Kernel
from netcli.arrays.cuda.launch import packed
from netcli.arrays.cuda.reorder import Reordered
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace

BLOCK_BYTES = 256 << 20  # of unrolled windows


class Geometry:
    """Sizes of a convolution; its activations as matrices of pixels, or positions, times channels.

    size: of an image; window: kernel, stride, padding and dilation; cells: of a window
    """

    def __init__(
        self, x_shape: Shape, num_output: int, kernel: Shape, stride: Shape, pad: Shape, dilation: Shape, group: int
    ) -> None:
        images, channels, *size = x_shape
        extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        room = [s + 2 * p - e for s, p, e in zip(size, pad, extent, strict=True)]
        out = tuple(max(0, r) // s + 1 for r, s in zip(room, stride, strict=True))
        self.y_shape = (images, num_output, *out)
        self.w_shape = (num_output, channels // group, *kernel)
        self.size, self.window = tuple(size), (kernel, stride, pad, dilation)
        self.axes, self.cells = len(kernel), count_of(kernel)
        self.group, self.channels, self.filters = group, channels // group, num_output // group  # of a group
        self.image, self.result = count_of(tuple(size)), count_of(out)  # pixels and positions of one
        self.pixels, self.positions = images * self.image, images * self.result
        self.is_pointwise = self.cells == count_of(stride) == group == 1 and not any(pad)  # the windows are x itself
        self._sizes = np.array([*zip(size, out, kernel, stride, pad, dilation, strict=True)], np.int32).reshape(-1)

    def sizes(self, card: CudaDevice) -> Any:
        """As kernels/cells.cuh wants them."""
        return card.from_host(self._sizes)


class Block(NamedTuple):
    """Some positions, and the pixels that their windows see: those of whole images.

    goes_on: it is not the first of its image
    """

    first: int
    positions: int
    first_pixel: int
    pixels: int
    goes_on: bool


class Products:
    """The products of a convolution, of flat arrays, channels-last.

    reordered: the filters, as (G, M/G, cells * C/G)
    """

    def __init__(self, card: CudaDevice, of: Geometry, dtype: Any, bf16: bool) -> None:
        self._card, self._of, self._dtype, self._bf16 = card, of, np.dtype(dtype), bf16
        filters = of.group * of.filters
        self.reordered = Reordered(card, "filters", filters, of.channels, of.cells, dtype)
        self._window = of.cells * of.channels  # items that a filter sees
        row = of.group * self._window
        most = max(1, BLOCK_BYTES // (row * self._dtype.itemsize))
        # Whole images, or part of one.
        if most >= of.result:
            self._step = min(of.positions, most // of.result * of.result)
        else:
            self._step = -(-of.result // -(-of.result // most))
        self._row = row
        self._largest = max(of.pixels * of.group * of.channels, of.positions * filters, self._step * row)

    @cached_property
    def _sizes(self) -> Any:
        return self._of.sizes(self._card)

    def _kernel(self, name: str, items: int) -> Kernel:
        return self._card.kernel("unroll", name, self._dtype, items=items, wide=self._largest)

    @cached_property
    def _unroll(self) -> Kernel:
        return self._kernel("unroll", self._step * self._row // packed(self._of.channels))

    @cached_property
    def _fold(self) -> Kernel:
        pixels = max((block.pixels for block in self._blocks()), default=0)
        return self._kernel("fold", pixels * self._of.group * self._of.channels // packed(self._of.channels))

    @cached_property
    def _regroup(self) -> Kernel:
        return self._kernel("regroup", self._step * self._of.group * self._of.filters)

    def _blocks(self) -> Iterator[Block]:
        of = self._of
        if self._step >= of.result:
            for first in range(0, of.positions, self._step):
                positions = min(self._step, of.positions - first)
                images = positions // of.result
                yield Block(first, positions, first // of.result * of.image, images * of.image, False)
            return
        for image in range(of.positions // of.result):
            for start in range(0, of.result, self._step):
                positions = min(self._step, of.result - start)
                yield Block(image * of.result + start, positions, image * of.image, of.image, start > 0)

    # -- matrices, one for each group

    def _filters(self, w: Any) -> Any:
        return w.reshape(self._of.group, self._of.filters, self._window)

    def _windows(self, positions: int) -> Any:
        flat = self._card.work("windows", self._step * self._row, self._dtype)[: positions * self._row]
        return flat.reshape(self._of.group, positions, self._window)

    def _unrolled(self, x: Any, block: Block) -> Any:
        windows, of = self._windows(block.positions), self._of
        self._unroll(x, windows, self._sizes, of.axes, *block[:2], of.cells, of.group, of.channels)
        return windows

    def _results(self, y: Any, block: Block) -> Any:
        """(G, P, M/G): where the results of a block, or their gradients, lie as matrices."""
        of, filters = self._of, self._of.group * self._of.filters
        if of.group == 1:
            flat = y[block.first * filters : (block.first + block.positions) * filters]
        else:
            flat = self._card.work("results", self._step * filters, self._dtype)[: block.positions * filters]
        return flat.reshape(of.group, block.positions, of.filters)

    def _grouped(self, dy: Any, block: Block) -> Any:
        results, of = self._results(dy, block), self._of
        if of.group > 1:
            self._regroup(self._rows(dy, block), results, block.positions, of.group, of.filters)
        return results

    def _rows(self, y: Any, block: Block) -> Any:
        filters = self._of.group * self._of.filters
        return y[block.first * filters : (block.first + block.positions) * filters]

    # -- the products

    def forward(self, x: Any, w: Any, y: Any, b: Any) -> bool:
        of, filters = self._of, self._filters(w)
        if of.is_pointwise and of.positions:
            self._card.gemm(x.reshape(of.pixels, -1), filters[0].T, y.reshape(of.positions, -1), bf16=self._bf16)
            return False
        for block in self._blocks():
            windows, results = self._unrolled(x, block), self._results(y, block)
            for group in range(of.group):
                self._card.gemm(windows[group], filters[group].T, results[group], bf16=self._bf16)
            if of.group > 1:
                self._regroup(results, self._rows(y, block), of.group, block.positions, of.filters)
        return False

    def backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        of, filters = self._of, self._filters(w)
        if of.is_pointwise and of.positions:
            self._card.gemm(dy.reshape(of.positions, -1), filters[0], dx.reshape(of.pixels, -1), bf16=self._bf16)
            return
        for block in self._blocks():
            windows, gradients = self._windows(block.positions), self._grouped(dy, block)
            for group in range(of.group):
                self._card.gemm(gradients[group], filters[group], windows[group], bf16=self._bf16)
            sizes = (*block[:2], of.cells, of.group, of.channels)
            self._fold(windows, dx, self._sizes, of.axes, *sizes, *block[2:])

    def backward_weights(self, x: Any, dy: Any, dw: Any, add: bool) -> None:
        of, into = self._of, self.reordered.memory(dw)
        sums = add and not self.reordered.is_needed  # at once; else when they are brought back
        gradient = self._filters(into)
        if not of.positions and not sums:
            into.fill(0)
        elif of.is_pointwise and of.positions:
            x, dy = x.reshape(of.pixels, -1), dy.reshape(of.positions, -1)
            self._card.gemm(dy.T, x, gradient[0], sums, self._bf16)
        else:
            for number, block in enumerate(self._blocks()):
                windows, gradients = self._unrolled(x, block), self._grouped(dy, block)
                for group in range(of.group):
                    matrices = (gradients[group].T, windows[group], gradient[group])
                    self._card.gemm(*matrices, sums or number > 0, self._bf16)
        self.reordered.put(into, dw, add)

    def work_space(self, calls: Calls) -> WorkSpace:
        of, filters = self._of, self._of.group * self._of.filters
        windows = 0 if of.is_pointwise else self._step * self._row
        results = self._step * filters if of.group > 1 else 0
        operands = [of.pixels * of.channels if of.is_pointwise else self._step * self._window, self._step * of.filters]
        rounded = 2 * (sum(operands) + count_of(of.w_shape)) if self._bf16 else 0
        return WorkSpace(0, self._dtype.itemsize * (windows + results) + self.reordered.nbytes + rounded)
