"""Colours of images of bytes, pixel by pixel, and images seen through an affine map.

Images lie in pixels of three channels, blue first, unless told otherwise.  Results are rounded to the nearest level,
halves upwards, and held in 0..255.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.core import types

from netcli.arrays.compiled.kernels.jit import FASTMATH, serial

SOURCE = types.Array(types.uint8, 1, "C", readonly=True)
RESULT = types.Array(types.uint8, 1, "C")
REAL, NUMBER = types.float32, types.int64

BLUE, GREEN, RED = np.float32(0.114), np.float32(0.587), np.float32(0.299)  # of grey, ITU-R BT.601


@numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy", inline="always")
def _level(value: Any) -> Any:
    return np.uint8(min(max(value + np.float32(0.5), np.float32(0)), np.float32(255)))


@serial((SOURCE, REAL, REAL, RESULT))
def linear(source: Any, factor: float, plus: float, out: Any) -> None:
    """Each level times a factor, plus a number."""
    for i in range(np.uint64(out.size)):
        out[i] = _level(source[i] * factor + plus)


@serial((SOURCE, REAL, RESULT))
def saturate(source: Any, factor: float, out: Any) -> None:
    """Each pixel's distance from its grey times a factor."""
    rest = np.float32(1) - factor
    for i in range(np.uint64(out.size // 3)):
        blue, green, red = source[3 * i], source[3 * i + 1], source[3 * i + 2]
        grey = (blue * BLUE + green * GREEN + red * RED) * rest
        out[3 * i] = _level(blue * factor + grey)
        out[3 * i + 1] = _level(green * factor + grey)
        out[3 * i + 2] = _level(red * factor + grey)


@serial((SOURCE, REAL, RESULT))
def turn_hue(source: Any, turn: float, out: Any) -> None:
    """The hue of each pixel on the circle of HSV, turned by a part of it; lightest and darkest channel stay."""
    for i in range(np.uint64(out.size // 3)):
        blue, green, red = np.float32(source[3 * i]), np.float32(source[3 * i + 1]), np.float32(source[3 * i + 2])
        most, least = max(red, green, blue), min(red, green, blue)
        span = most - least
        if span == 0:
            out[3 * i], out[3 * i + 1], out[3 * i + 2] = source[3 * i], source[3 * i + 1], source[3 * i + 2]
            continue
        if most == red:
            hue = (green - blue) / span
        elif most == green:
            hue = (blue - red) / span + np.float32(2)
        else:
            hue = (red - green) / span + np.float32(4)
        hue = hue + np.float32(6) * turn
        # A channel is at the top within one of its own place on the circle of six, at the bottom beyond two.
        for c in range(3):
            place = np.float32(4 - 2 * c)  # blue 4, green 2, red 0
            apart = abs(hue - place)
            apart = apart - np.float32(6) * np.floor(apart / np.float32(6))
            apart = min(apart, np.float32(6) - apart)
            share = min(max(np.float32(2) - apart, np.float32(0)), np.float32(1))
            out[3 * i + c] = _level(least + span * share)


@serial((SOURCE, NUMBER, NUMBER, NUMBER, types.Array(REAL, 1, "C"), types.Array(REAL, 1, "C"), RESULT))
def warp(source: Any, height: int, width: int, channels: int, inverse: Any, fill: Any, out: Any) -> None:
    """Each pixel of the result from where `inverse` (2 x 3, of x and y) says, mixed of the four around it.

    Any number of channels.  fill: what is beyond the edge, for each channel
    """
    for y in range(height):
        for x in range(width):
            u = inverse[0] * x + inverse[1] * y + inverse[2]
            v = inverse[3] * x + inverse[4] * y + inverse[5]
            left, top = int(np.floor(u)), int(np.floor(v))
            a, b = np.float32(u - left), np.float32(v - top)
            for c in range(channels):
                total = np.float32(0)
                for down in range(2):
                    for right in range(2):
                        row, column = top + down, left + right
                        weight = (b if down else np.float32(1) - b) * (a if right else np.float32(1) - a)
                        inside = 0 <= row < height and 0 <= column < width
                        total += weight * (source[(row * width + column) * channels + c] if inside else fill[c])
                out[(y * width + x) * channels + c] = _level(total)


@serial((SOURCE, NUMBER, NUMBER, NUMBER, types.Array(REAL, 1, "C"), RESULT))
def blur(source: Any, height: int, width: int, channels: int, weights: Any, out: Any) -> None:
    """Weighted sums over rows, then over columns; the image's last pixels go on beyond its edge.

    weights  of the middle, and of what is 1, 2, ... away on either side
    """
    wide, reach = width * channels, weights.size - 1
    lines = np.empty((height, wide), np.float32)
    for y in range(height):
        row = source[y * wide : (y + 1) * wide]
        for x in range(width):
            for c in range(channels):
                total = weights[0] * row[x * channels + c]
                for k in range(1, reach + 1):
                    before, behind = max(x - k, 0), min(x + k, width - 1)
                    total += weights[k] * (np.float32(row[before * channels + c]) + row[behind * channels + c])
                lines[y, x * channels + c] = total
    total = np.empty(wide, np.float32)
    for y in range(height):
        for i in range(np.uint64(wide)):
            total[i] = weights[0] * lines[y, i]
        for k in range(1, reach + 1):
            above, below = lines[max(y - k, 0)], lines[min(y + k, height - 1)]
            for i in range(np.uint64(wide)):
                total[i] += weights[k] * (above[i] + below[i])
        for i in range(np.uint64(wide)):
            out[y * wide + i] = _level(total[i])
