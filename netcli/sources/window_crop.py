"""A window of an image, with its surroundings, brought to the size of a net's input.

Same pixels as Caffe's window_data_layer.cpp, whose sums and roundings in single precision are followed one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from netcli.arrays.resize import resize
from netcli.errors import DataError


class Region(NamedTuple):
    """Which pixels of an image are taken, both ends included, to which size, and where they stand in the result."""

    x1: int
    y1: int
    x2: int
    y2: int
    height: int
    width: int
    top: int
    left: int


@dataclass
class WindowCrop:
    """What becomes of each window.

    size         side of the square result
    context_pad  pixels of the result on each side of the window that show its surroundings
    square       take the tightest square around the window, instead of changing its proportions
    mean         (3, size, size) or (3 or 1, 1, 1), taken off; None: nothing is
    scale        factor after that
    """

    size: int
    context_pad: int
    square: bool
    mean: Any
    scale: float
    dtype: Any

    @property
    def expands(self) -> bool:
        """Whether more is taken than the window, so that it may reach beyond the image."""
        return self.context_pad > 0 or self.square

    def fits(self, window: tuple[Any, Any, Any, Any], size: tuple[Any, Any]) -> Any:
        """Whether a window (x1, y1, x2, y2) can be taken from an image of this (height, width), or arrays of them.

        It must lie in it, or where its surroundings are shown, reach into it.
        """
        (x1, y1, x2, y2), (height, width) = window, size
        if self.expands:
            return (x1 < width) & (y1 < height) & (x2 >= 0) & (y2 >= 0)
        return (x1 >= 0) & (y1 >= 0) & (x2 < width) & (y2 < height)

    def misfit(self, window: tuple[int, int, int, int], size: tuple[int, int]) -> str:
        """The sentence on a window that does not fit."""
        (x1, y1, x2, y2), (height, width) = window, size
        where = "lies outside" if self.expands else "reaches beyond"
        return f"the window from ({x1}, {y1}) to ({x2}, {y2}) {where} its image of {width} columns and {height} rows"

    def region(self, window: tuple[int, int, int, int], size: tuple[int, int], mirrored: bool) -> Region:
        """What is taken of an image of this (height, width) for a window that fits."""
        if not self.expands:
            return Region(*window, self.size, self.size, 0, 0)
        x1, x2, y1, y2 = self._expanded(*window)
        # The size of a result in which all of the expanded window showed; what lies beyond the image is left empty.
        scale_x = np.float32(self.size) / np.float32(x2 - x1 + 1)
        scale_y = np.float32(self.size) / np.float32(y2 - y1 + 1)
        beyond_x = max(0, -x1), max(0, x2 - size[1] + 1)
        beyond_y = max(0, -y1), max(0, y2 - size[0] + 1)
        x1, x2, y1, y2 = x1 + beyond_x[0], x2 - beyond_x[1], y1 + beyond_y[0], y2 - beyond_y[1]
        top = _scaled(beyond_y[0], scale_y)
        left = _scaled(beyond_x[1 if mirrored else 0], scale_x)  # what is mirrored is the whole result
        height = min(_scaled(y2 - y1 + 1, scale_y), self.size - top)  # rounding may have made it too large
        width = min(_scaled(x2 - x1 + 1, scale_x), self.size - left)
        return Region(x1, y1, x2, y2, height, width, top, left)

    def _expanded(self, x1: int, y1: int, x2: int, y2: int) -> tuple[int, int, int, int]:
        """x1, x2, y1, y2 of the window with its surroundings."""
        half, context = np.float32(2), np.float32(self.size) / np.float32(self.size - 2 * self.context_pad)
        half_width, half_height = np.float32(x2 - x1 + 1) / half, np.float32(y2 - y1 + 1) / half
        center_x, center_y = np.float32(x1) + half_width, np.float32(y1) + half_height
        if self.square:
            half_width = half_height = max(half_width, half_height)
        return (
            _rounded(center_x - half_width * context),
            _rounded(center_x + half_width * context),
            _rounded(center_y - half_height * context),
            _rounded(center_y + half_height * context),
        )

    def __call__(self, image: Any, window: tuple[int, int, int, int], mirrored: bool) -> Any:
        """(3, size, size): the window (x1, y1, x2, y2) of an image (3, H, W) uint8, 0 where nothing of the image shows.

        Raises DataError where the window doesn't fit the image.
        """
        size = image.shape[1:]
        if not self.fits(window, size):
            raise DataError(self.misfit(window, size))
        region = self.region(window, size, mirrored)
        result = np.zeros((image.shape[0], self.size, self.size), self.dtype)
        if min(region.height, region.width) < 1:  # less than half a pixel shows
            return result
        part = image[:, region.y1 : region.y2 + 1, region.x1 : region.x2 + 1]
        pixels = resize(part, region.height, region.width).astype(self.dtype)
        if mirrored:
            pixels = pixels[:, :, ::-1]
        place = (
            slice(None),
            slice(region.top, region.top + region.height),
            slice(region.left, region.left + region.width),
        )
        if self.mean is not None:
            pixels = pixels - (self.mean[place] if self.mean.shape[1] > 1 else self.mean)
        result[place] = pixels * np.dtype(self.dtype).type(self.scale)
        return result


def _scaled(length: int, scale: Any) -> int:
    return _rounded(np.float32(length) * scale)


def _rounded(value: Any) -> int:
    """To the nearest whole number, halves away from 0, as C's round."""
    return int(math.copysign(math.floor(abs(float(value)) + 0.5), float(value)))
