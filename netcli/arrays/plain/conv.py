"""Convolution by matrix products: the windows of x as rows, the filters as columns (im2col).

Chellapilla, Puri & Simard, "High Performance Convolutional Neural Networks for Document Processing",
IWFHR 2006; the way Caffe computes it.  Windows are unrolled a block at a time, so that they stay in the cache.

N: images  C: channels  M: filters  G: groups  P: positions of the filters, image by image and row by row
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from netcli.arrays.choices import Choices
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.plain.activation import rectify
from netcli.arrays.plain.bfloat16 import rounded
from netcli.arrays.work_space import Calls, WorkSpace

BLOCK_BYTES = 4 << 20  # of unrolled windows: enough for the product to be efficient, little enough for the cache


class Conv:
    """See `Ops.conv`."""

    def __init__(
        self,
        x_shape: Shape,
        num_output: int,
        kernel: Shape,
        stride: Shape,
        pad: Shape,
        dilation: Shape,
        group: int,
        bias: bool,
        dtype: Any,
        relu: float | None = None,
        add: bool = False,
        choices: Choices | None = None,
        affine: bool = False,
        prelu: bool = False,
        held: bool = False,
        bf16: bool = False,
    ) -> None:
        self.relu, self.add, self.affine, self.prelu, self.held = relu, add, affine, prelu, held
        self._held: Any = None
        self.operand = rounded if bf16 else np.asarray
        dtype = np.dtype(dtype)
        images, channels, *size = x_shape
        self.x_shape = x_shape
        self.kernel, self.stride, self.dilation, self.group = kernel, stride, dilation, group
        extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        padded_size = [max(s + 2 * p, e) for s, p, e in zip(size, pad, extent, strict=True)]
        self.is_padded = padded_size != size
        self.out = tuple((s - e) // t + 1 for s, e, t in zip(padded_size, extent, stride, strict=True))
        self.y_shape = (images, num_output, *self.out)
        self.window = count_of(kernel) * channels // group  # items that a filter sees at a time
        # 1x1 filters side by side: the windows are x itself.
        self.is_pointwise = count_of(kernel) == count_of(stride) == 1 and not any(pad)
        # A block is some whole images, or some rows (along the first spatial axis) of one.
        row_items = max(1, count_of(self.out[1:]) * self.window * group)
        block_rows = max(1, BLOCK_BYTES // (row_items * dtype.itemsize))
        self.rows = min(self.out[0], block_rows)
        self.images = max(1, min(images, block_rows // self.out[0]))
        self._dtype = dtype
        self._window_items = self.images * self.rows * row_items
        self._padded_shape = (self.images, *padded_size, channels)
        self._inside = (..., *(slice(p, p + s) for p, s in zip(pad, size, strict=True)))

    # Memory for a block, taken where it is used.

    @cached_property
    def _windows(self) -> Any:
        return np.empty(self._window_items, self._dtype)

    @cached_property
    def _padded(self) -> Any:
        return np.empty(self._padded_shape, self._dtype)

    def hold(self, w: Any) -> None:
        self._held = np.array(self._filters(w))

    def forward(self, x: Any, w: Any, b: Any, y: Any, *after: Any) -> None:
        more = iter(after)
        s, t = (next(more) if self.affine else None for _ in range(2))
        z = next(more) if self.add else None
        a = next(more) if self.prelu else None
        b, s, t, a = (c if c is None else c.reshape(self.group, -1, *[1] * len(self.out)) for c in (b, s, t, a))
        filters = (self._held if self.held else self._filters(w)).swapaxes(1, 2)
        for images, blocks in self._blocks():
            source = self._padded_images(x[images])
            for rows in blocks:
                result = self._ungrouped(np.matmul(self._unrolled(source, rows), filters), rows)
                into = self._split(y[images, :, rows])
                if b is not None:
                    result += b
                if s is not None:
                    result *= s
                    result += t
                if z is not None:
                    result += self._split(z[images, :, rows])
                if a is not None:
                    np.multiply(result, a, out=result, where=~(result > 0))
                into[...] = result
        if self.relu is not None:
            rectify(y, self.relu)

    def backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        filters = self._filters(w)
        for images, blocks in self._blocks():
            padded = self._zeroed_images(images.stop - images.start)
            into = self._split(padded)
            for rows in blocks:
                part = self._grouped(self.operand(dy[images, :, rows]))
                windows = np.matmul(part, filters, out=self._windows_of(part.shape[1]))
                windows = self._ungrouped(windows, rows, *self.kernel)  # (N, G, C/G, *out, *kernel)
                for cell in product(*map(range, self.kernel)):
                    of_cell = (..., *cell)
                    into[self._seen(cell, rows)] += windows[of_cell]
            dx[images] = padded[self._inside]

    def backward_weights(self, x: Any, dy: Any, dw: Any, db: Any, add: bool) -> None:
        filters = np.zeros((self.group, self.y_shape[1] // self.group, self.window), dy.dtype)
        biases = np.zeros((self.group, self.y_shape[1] // self.group), dy.dtype)
        for images, blocks in self._blocks():
            source = x[images] if dw is None else self._padded_images(x[images])
            for rows in blocks:
                part = self._grouped(self.operand(dy[images, :, rows]))
                if db is not None:
                    biases += part.sum(1)
                if dw is not None:
                    filters += np.matmul(part.swapaxes(1, 2), self._unrolled(source, rows))
        if dw is not None:
            gradient = np.moveaxis(filters.reshape(len(dw), *self.kernel, -1), -1, 1)
            np.add(dw if add else 0, gradient, out=dw)
        if db is not None:
            np.add(db if add else 0, biases.reshape(-1), out=db)

    def work_space(self, calls: Calls) -> WorkSpace:
        unrolls = calls.data or not self.is_pointwise
        filters = self.y_shape[1] * self.window
        kept = self._window_items * unrolls + count_of(self._padded_shape) * (self.is_padded or calls.data)
        kept += filters * self.held
        results = self.images * self.rows * count_of(self.out[1:]) * self.y_shape[1]
        # Filters in another order beside results, or two sums of their gradients.
        passing = filters + max(results, filters * calls.weights)
        if self.operand is rounded:
            passing += filters + 2 * self.images * count_of(self.x_shape[1:])
        return WorkSpace(self._dtype.itemsize * kept, self._dtype.itemsize * passing)

    # -- blocks of the work

    def _blocks(self) -> Iterator[tuple[slice, list[slice]]]:
        """Images, and which of their rows are done at a time."""
        height = self.out[0]
        rows = [slice(r, min(r + self.rows, height)) for r in range(0, height, self.rows)]
        for n in range(0, self.y_shape[0], self.images):
            yield slice(n, min(n + self.images, self.y_shape[0])), rows

    def _zeroed_images(self, images: int) -> Any:
        """Memory for some images with their padding, (N, C, *padded)."""
        padded = self._padded[:images]
        padded.fill(0)
        return np.moveaxis(padded, -1, 1)

    def _padded_images(self, x: Any) -> Any:
        x = self.operand(x)
        if not self.is_padded:
            return x
        padded = self._zeroed_images(len(x))
        padded[self._inside] = x
        return padded

    def _windows_of(self, positions: int) -> Any:
        """Memory for unrolled windows, (G, P, *kernel * C/G)."""
        count = self.group * positions * self.window
        return self._windows[:count].reshape(self.group, positions, self.window)

    def _unrolled(self, source: Any, rows: slice) -> Any:
        """The windows at some rows of some padded images, (G, P, *kernel * C/G)."""
        source = self._split(source[:, :, rows.start * self.stride[0] :])
        (n, g, c), steps = source.strides[:3], source.strides[3:]
        images, group, channels = source.shape[:3]
        out = (rows.stop - rows.start, *self.out[1:])
        windows = as_strided(
            source,
            (group, images, *out, *self.kernel, channels),
            (
                g,
                n,
                *(s * t for s, t in zip(steps, self.stride, strict=True)),
                *(s * d for s, d in zip(steps, self.dilation, strict=True)),
                c,
            ),
            writeable=False,
        )
        if self.is_pointwise:
            return windows.reshape(group, -1, self.window)
        unrolled = self._windows_of(images * count_of(out))
        unrolled.reshape(windows.shape)[...] = windows
        return unrolled

    def _seen(self, cell: Shape, rows: slice) -> tuple[Any, ...]:
        """Which items of a padded image a cell of the kernel meets at some rows of positions."""
        first = [c * d for c, d in zip(cell, self.dilation, strict=True)]
        first[0] += rows.start * self.stride[0]
        out = (rows.stop - rows.start, *self.out[1:])
        return (..., *(slice(f, f + (n - 1) * t + 1, t) for f, n, t in zip(first, out, self.stride, strict=True)))

    # -- the same items in another order

    def _split(self, y: Any) -> Any:
        """(N, M, ...) as (N, G, M/G, ...), a view."""
        return y.reshape(len(y), self.group, -1, *y.shape[2:])

    def _grouped(self, y: Any) -> Any:
        """(N, M, *rows) as (G, P, M/G), a view where the order of y allows."""
        y = np.moveaxis(self._split(y), (1, 2), (0, -1))
        return y.reshape(self.group, -1, y.shape[-1])

    def _ungrouped(self, items: Any, rows: slice, *inner: int) -> Any:
        """(G, P, *inner * M/G) as (N, G, M/G, *rows, *inner), a view."""
        items = items.reshape(
            self.group, -1, rows.stop - rows.start, *self.out[1:], *inner, items.shape[2] // count_of(inner)
        )
        return np.moveaxis(items, (0, -1), (1, 2))

    def _filters(self, w: Any) -> Any:
        """(M, C/G, *kernel) as (G, M/G, *kernel * C/G)."""
        return self.operand(np.moveaxis(w, 1, -1)).reshape(self.group, -1, self.window)
