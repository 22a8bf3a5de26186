"""Images cut out, mirrored, less a mean, times a scale: one image, or all of a batch by one kernel."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.cuda.device import WIDE, CudaDevice, Kernel
from netcli.arrays.cuda.launch import accept

KINDS = {np.dtype(kind): number for number, kind in enumerate((np.uint8, np.float32, np.float64))}


class Normalise:
    """See `Ops.normalise`; the mean is an array of NumPy."""

    def __init__(self, card: CudaDevice, mean: Any, scale: float, dtype: Any) -> None:
        self._kernel = _AnyImages(card, mean, scale, dtype)

    def forward(self, x: Any, top: int, left: int, mirrored: bool, less: Any, y: Any) -> None:
        self._kernel(x, (None, None, None, top, left, mirrored), less, y)


class NormaliseBatch:
    """See `Ops.normalise_batch`."""

    def __init__(self, card: CudaDevice, mean: Any, scale: float, dtype: Any) -> None:
        self._kernel = _AnyImages(card, mean, scale, dtype)

    def forward(self, x: Any, top: Any, left: Any, mirrored: Any, less: Any, y: Any) -> None:
        for array, kind in ((top, "i4"), (left, "i4"), (mirrored, "b1")):
            if array.shape != y.shape[:1] or array.dtype != kind or not array.flags.c_contiguous:
                raise ValueError(f"planned for {np.dtype(kind)} {y.shape[:1]}, got {array.dtype} {array.shape}")
        self._kernel(x, (top, left, mirrored, 0, 0, 0), less, y)


class _AnyImages:
    """The kernel, for images of any size that lie in any way."""

    def __init__(self, card: CudaDevice, mean: Any, scale: float, dtype: Any) -> None:
        accept(dtype)
        self._card, self._scale, self._dtype = card, scale, np.dtype(dtype)
        self._mean, self._mean_columns = None, 0
        if mean is not None:  # in pixels, as most results lie
            self._mean = card.from_host(np.ascontiguousarray(mean.transpose(1, 2, 0), dtype))
            self._mean_columns = mean.shape[2]
        self._kernels: dict[tuple[int, bool], Kernel] = {}  # by rows, and whether numbers of items are wide

    def __call__(self, x: Any, windows: tuple[Any, ...], less: Any, y: Any) -> None:
        """x, less, y with an axis of images or without; windows: as the kernel takes them."""
        if x.dtype not in KINDS:  # of half precision
            x = x.astype(self._dtype)
        for array in (y,) if less is None else (y, less):
            if array.dtype != self._dtype:
                raise ValueError(f"planned for {self._dtype}, got {array.dtype}")
        channels, rows, columns = y.shape[-3:]
        images = len(y) if y.ndim == 4 else 1
        x_steps, y_steps = _steps(x), _steps(y)
        in_planes = y_steps[2] < y_steps[3]  # a column's step is shorter than a channel's
        less_steps = (0, 0) if less is None else _steps_of_less(less)
        self._of(images * rows, x, y)(
            *(x, y, self._mean, less, *windows, self._scale, KINDS[x.dtype], in_planes),
            *(images, rows, columns, channels, *x_steps, *y_steps, *less_steps, self._mean_columns),
        )

    def _of(self, rows: int, x: Any, y: Any) -> Kernel:
        is_wide = max(_reach(x), _reach(y)) >= WIDE
        if (rows, is_wide) not in self._kernels:
            self._kernels[rows, is_wide] = self._card.kernel(
                "normalise", "normalise", self._dtype, rows=rows, wide=WIDE if is_wide else 0
            )
        return self._kernels[rows, is_wide]


def _steps(images: Any) -> tuple[int, int, int, int]:
    """From an image, a row, a column, a channel to the next, in items."""
    *image, channel, row, column = (step // images.itemsize for step in images.strides)
    return (image[0] if image else 0, row, column, channel)


def _steps_of_less(less: Any) -> tuple[int, int]:
    *image, channel = (step // less.itemsize for step in less.strides)
    return (image[0] if image else 0, channel if less.shape[-1] > 1 else 0)


def _reach(array: Any) -> int:
    """Items between the first and the last in memory."""
    sizes: tuple[tuple[int, int], ...] = tuple(zip(array.shape, array.strides, strict=True))
    return sum((size - 1) * abs(step) for size, step in sizes) // int(array.itemsize)
