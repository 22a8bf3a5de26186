"""Dropout: draws of Philox4x64-10, eight items to a block of four words, and a byte for each item that tells of it.

Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import prange

from netcli.arrays.compiled.kernels.jit import parallel, product, serial

LOW, HALF, ZERO, ONE = np.uint64(0xFFFFFFFF), np.uint64(32), np.uint64(0), np.uint64(1)
A, B = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)  # the generator's multipliers

SOME = 1024  # items at a time


@serial("uint8[::1], int64, uint64, uint64[:,::1], uint64")
def draw(keep: Any, first: int, major: Any, keys: Any, threshold: Any) -> None:
    """1 where an item's half-word is at least the threshold, else 0; keep: whole blocks, from block `first` on."""
    for block in range(keep.size >> 3):
        # NumPy steps the counter before each block.
        a, b, c, d = np.uint64(first + block + 1), ZERO, major, ONE
        for turn in range(10):
            high, low = product(a, A)
            high2, low2 = product(c, B)
            a, b, c, d = high2 ^ b ^ keys[turn, 0], low2, high ^ d ^ keys[turn, 1], low
        eight = keep[8 * block : 8 * block + 8]  # the lower half of a word first
        eight[0], eight[1] = a & LOW >= threshold, a >> HALF >= threshold
        eight[2], eight[3] = b & LOW >= threshold, b >> HALF >= threshold
        eight[4], eight[5] = c & LOW >= threshold, c >> HALF >= threshold
        eight[6], eight[7] = d & LOW >= threshold, d >> HALF >= threshold


@parallel("int64, uint8[::1], int64, uint64, uint64[:,::1], uint64")
def draw_in_parts(parts: int, keep: Any, first: int, major: Any, keys: Any, threshold: Any) -> None:
    """The same in parts."""
    blocks = keep.size >> 3
    for part in prange(parts):
        start, stop = blocks * part // parts, blocks * (part + 1) // parts
        draw(keep[8 * start : 8 * stop], first + start, major, keys, threshold)


@serial("uint8[::1], uint8[::1], int64, int64")
def reorder(keep: Any, moved: Any, channels: int, pixels: int) -> None:
    """From Caffe's order of images to that of channels-last memory."""
    for image in range(moved.size // (channels * pixels)):
        at = image * channels * pixels
        for pixel in range(pixels):
            for c in range(channels):
                moved[at + pixel * channels + c] = keep[at + c * pixels + pixel]


@parallel("int64, uint8[::1], uint8[::1], int64, int64")
def reorder_in_parts(parts: int, keep: Any, moved: Any, channels: int, pixels: int) -> None:
    """The same in parts."""
    size = channels * pixels
    images = moved.size // size
    for part in prange(parts):
        i = slice(images * part // parts * size, images * (part + 1) // parts * size)
        reorder(keep[i], moved[i], channels, pixels)


@serial("float32[::1], float32[::1], uint8[::1], float64")
def apply(x: Any, y: Any, keep: Any, factor: float) -> None:
    """y = x * factor where keep is 1, x * 0 elsewhere."""
    one, values = np.float32(factor), np.empty(min(x.size, SOME), np.float32)
    for at in range(0, x.size, SOME):
        source, target, kept = x[at : at + SOME], y[at : at + SOME], keep[at : at + SOME]
        for i in range(source.size):
            values[i] = source[i]
        for i in range(source.size):
            target[i] = values[i] * (kept[i] * one)


@parallel("int64, float32[::1], float32[::1], uint8[::1], float64")
def apply_in_parts(parts: int, x: Any, y: Any, keep: Any, factor: float) -> None:
    """The same in parts."""
    for part in prange(parts):
        i = slice(x.size * part // parts, x.size * (part + 1) // parts)
        apply(x[i], y[i], keep[i], factor)
