"""Resizing by the nearest pixel, by areas and by cubics, within a level of OpenCV's INTER_NEAREST, _AREA and _CUBIC.

Each axis has taps: for each of its new pixels the places of K old ones, and their weights.  Sums are in float32, one
tap after the other, so that results do not depend on threads.  Linear resizing, which has its own whole numbers, is
`resize.py`'s.
"""

from __future__ import annotations

from typing import Any

import numpy as np

LINEAR, NEAREST, AREA, CUBIC = INTERPOLATIONS = ("linear", "nearest", "area", "cubic")
SHARPNESS = -0.75  # A of the cubic, as OpenCV has it: Keys, "Cubic Convolution Interpolation ...", 1981

Taps = tuple[Any, Any]  # places (wanted, K), whole numbers; weights (wanted, K), float32


def resample(image: Any, height: int, width: int, interpolation: str) -> Any:
    """(C, H, W) uint8 to (C, height, width) uint8, which lies in pixels.

    interpolation  NEAREST the pixel that the new one's upper left corner is in
                   AREA    the mean over the area that a pixel covers; where the image grows along either axis,
                           what OpenCV takes instead: two pixels an axis, mixed where the new one lies across both
                   CUBIC   16 pixels, however much the image shrinks
    """
    channels, *size = image.shape
    pixels = image.transpose(1, 2, 0)
    if interpolation == NEAREST:
        return pixels[_nearest(size[0], height)][:, _nearest(size[1], width)].transpose(2, 0, 1)
    if interpolation == CUBIC:
        taps = _cubic
    else:
        taps = _areas if height <= size[0] and width <= size[1] else _across
    # The axis that shrinks more comes first: less is left for the other.
    by_rows, by_columns = taps(size[0], height), taps(size[1], width)
    if height * size[1] <= size[0] * width:
        mixed = _along_columns(_along_rows(pixels, by_rows), by_columns)
    else:
        mixed = _along_rows(_along_columns(pixels, by_columns), by_rows)
    np.rint(mixed, out=mixed)
    return np.clip(mixed, 0, 255, out=mixed).astype(np.uint8).reshape(height, width, channels).transpose(2, 0, 1)


def _along_rows(pixels: Any, taps: Taps) -> Any:
    """(H, W, C) to (height, W, C) float32."""
    places, weights = taps
    mixed = pixels[places[:, 0]] * weights[:, 0, None, None]
    for k in range(1, places.shape[1]):
        mixed += pixels[places[:, k]] * weights[:, k, None, None]
    return mixed


def _along_columns(pixels: Any, taps: Taps) -> Any:
    """(H, W, C) to (H, width, C) float32."""
    places, weights = taps
    mixed = pixels.take(places[:, 0], axis=1) * weights[:, 0, None]
    for k in range(1, places.shape[1]):
        mixed += pixels.take(places[:, k], axis=1) * weights[:, k, None]
    return mixed


def _nearest(size: int, wanted: int) -> Any:
    return np.floor(np.arange(wanted) * (1 / (wanted / size))).astype(np.intp).clip(0, size - 1)


def _cubic(size: int, wanted: int) -> Taps:
    """Pixel centres are at half coordinates, pixels outside repeat the border, as in linear resizing."""
    centre = (np.arange(wanted) + 0.5) * (size / wanted) - 0.5
    first = np.floor(centre).astype(np.intp) - 1
    far = np.abs(centre[:, None] - (first[:, None] + np.arange(4)))  # below 2
    near = (SHARPNESS + 2) * far**3 - (SHARPNESS + 3) * far**2 + 1
    outer = SHARPNESS * (far**3 - 5 * far**2 + 8 * far - 4)
    return _taps(first, np.where(far <= 1, near, outer), size)


def _areas(size: int, wanted: int) -> Taps:
    """For an axis that does not grow."""
    scale = size / wanted
    begin = np.arange(wanted) * scale
    first = np.floor(begin).astype(np.intp)
    places = first[:, None] + np.arange(int(np.ceil(scale)) + 1)
    covered = np.minimum(places + 1, begin[:, None] + scale) - np.maximum(places, begin[:, None])
    return _taps(first, covered.clip(0) / scale, size)


def _across(size: int, wanted: int) -> Taps:
    number = np.arange(wanted)
    growth = wanted / size
    # OpenCV's operations one by one: a share of 1 - 1e-9 is one of 1 in float32, and that is one of 0.
    first = np.floor(number * (1 / growth)).astype(np.intp)
    share = ((number + 1) - (first + 1) * growth).astype(np.float32)
    share = np.where(share <= 0, 0, share - np.floor(share))
    return _taps(first, np.stack([1 - share, share], axis=1), size)


def _taps(first: Any, weights: Any, size: int) -> Taps:
    """first: of the K places that follow each other"""
    places = first[:, None] + np.arange(weights.shape[1])
    return places.clip(0, size - 1), weights.astype(np.float32)
