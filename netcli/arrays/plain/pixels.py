"""What kernels/pixels.py computes, in NumPy: the definitions, with the same arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

GREY = np.array([0.114, 0.587, 0.299], np.float32)
PLACES = np.array([4, 2, 0], np.float32)  # of blue, green and red on a circle of six


def _levels(values: Any, out: Any) -> None:
    out[...] = np.clip(np.float32(values) + np.float32(0.5), 0, 255).astype(np.uint8).reshape(-1)


def linear(source: Any, factor: Any, plus: Any, out: Any) -> None:
    """See `pixels.linear`."""
    _levels(source * factor + plus, out)


def saturate(source: Any, factor: Any, out: Any) -> None:
    """See `pixels.saturate`."""
    pixels = source.reshape(-1, 3).astype(np.float32)
    _levels(pixels * factor + (pixels @ GREY)[:, None] * (np.float32(1) - factor), out)


def turn_hue(source: Any, turn: Any, out: Any) -> None:
    """See `pixels.turn_hue`."""
    pixels = source.reshape(-1, 3).astype(np.float32)
    blue, green, red = pixels.T
    most, least = pixels.max(1), pixels.min(1)
    span = most - least
    safe = np.where(span == 0, 1, span)
    hue = np.where(
        most == red,
        (green - blue) / safe,
        np.where(most == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    apart = np.abs((hue + 6 * turn)[:, None] - PLACES) % 6
    share = np.clip(2 - np.minimum(apart, 6 - apart), 0, 1)
    _levels(least[:, None] + span[:, None] * share, out)


def warp(source: Any, height: int, width: int, channels: int, inverse: Any, fill: Any, out: Any) -> None:
    """See `pixels.warp`."""
    # One more pixel of `fill` on each side, and everything beyond is there.
    framed = np.empty((height + 2, width + 2, channels), np.float32)
    framed[...] = fill
    framed[1:-1, 1:-1] = source.reshape(height, width, channels)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    u = inverse[0] * x + inverse[1] * y + inverse[2]
    v = inverse[3] * x + inverse[4] * y + inverse[5]
    left, top = np.floor(u).astype(int), np.floor(v).astype(int)
    a, b = (u - left)[..., None], (v - top)[..., None]
    total = np.zeros((height, width, channels), np.float32)
    for down, of_row in ((0, 1 - b), (1, b)):
        for right, of_column in ((0, 1 - a), (1, a)):
            rows = (top + down + 1).clip(0, height + 1)
            columns = (left + right + 1).clip(0, width + 1)
            total += of_row * of_column * framed[rows, columns]
    _levels(total, out)


def blur(source: Any, height: int, width: int, channels: int, weights: Any, out: Any) -> None:
    """See `pixels.blur`."""
    image = source.reshape(height, width, channels).astype(np.float32)
    for axis, size in ((1, width), (0, height)):
        places, total = np.arange(size), weights[0] * image
        for k, weight in enumerate(weights[1:], 1):
            before, behind = (image.take((places + step).clip(0, size - 1), axis) for step in (-k, k))
            total = total + weight * (before + behind)
        image = total
    _levels(image, out)
