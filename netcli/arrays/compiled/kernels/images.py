"""Images before the net: cut out, mirrored, less a mean, times a scale.

Sources are read-only bytes, in one of two orders: planes, as Datum has them, or pixels, as decoders give them.
Results are rows of pixels with their channels side by side, the order of activations.

Places in a row are unsigned: numba then leaves out what would let negative ones count from the end, and the loops over
planes are vectorised, mirrored too.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.core import types

from netcli.arrays.compiled.kernels.jit import FASTMATH, serial

SOURCE = types.Array(types.uint8, 1, "C", readonly=True)
FLOATS = types.Array(types.float32, 1, "C", readonly=True)
RESULT = types.Array(types.float32, 1, "C")
NUMBER, FLAG = types.int64, types.boolean
OF_SOURCE = (SOURCE, FLAG, NUMBER, NUMBER, NUMBER)  # and whether it has planes, channels, height, width
WINDOW = (NUMBER, NUMBER, NUMBER, NUMBER, FLAG)  # top, left, height, width, mirrored


@serial((*OF_SOURCE, *WINDOW, FLOATS, FLOATS, types.float32, RESULT))
def normalise(
    source: Any,
    planes: bool,
    channels: int,
    height: int,
    width: int,
    top: int,
    left: int,
    rows: int,
    columns: int,
    mirrored: bool,
    means: Any,
    image: Any,
    scale: float,
    out: Any,
) -> None:
    """means: one for each channel, taken off; image: more to take off, in the order of the source, or empty.

    A row at a time, first where it lies side by side and then in its order: each loop alone is vectorised.
    """
    wide = columns * channels
    line, tiled = np.empty(wide, np.float32), np.empty(wide, np.float32)
    for w in range(columns):
        for c in range(channels):
            tiled[w * channels + c] = means[c]
    for h in range(rows):
        at = (top + h) * width + left
        into = out[h * wide : (h + 1) * wide]
        if planes:
            for c in range(channels):
                begin = at + c * height * width
                _difference(
                    source[begin : begin + columns],
                    image[begin : begin + columns] if image.size else image,
                    tiled[c:],
                    np.uint64(0),
                    scale,
                    mirrored,
                    line[c * columns : (c + 1) * columns],
                )
            _interleave(line, np.uint64(columns), channels, into)
        else:
            begin = at * channels
            less = image[begin : begin + wide] if image.size else image
            result = line if mirrored else into
            _difference(source[begin : begin + wide], less, tiled, np.uint64(1), scale, False, result)
            if mirrored:
                _reverse(line, np.uint64(columns), channels, into)


@numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy", inline="always")
def _difference(row: Any, less: Any, means: Any, step: Any, scale: float, mirrored: bool, result: Any) -> None:
    """Of numbers side by side; step: from one's mean to the next one's."""
    last, mean = np.uint64(result.size - 1), means[0]
    for i in range(np.uint64(result.size)):
        at = last - i if mirrored else i
        off = means[i] if step else mean
        result[i] = (row[at] - (less[at] + off)) * scale if less.size else (row[at] - off) * scale


@numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy", inline="always")
def _interleave(line: Any, columns: Any, channels: int, into: Any) -> None:
    """Rows of channels to pixels."""
    if channels == 3:
        first, second, third = line[:columns], line[columns : 2 * columns], line[2 * columns : 3 * columns]
        for w in range(columns):
            into[3 * w] = first[w]
            into[3 * w + 1] = second[w]
            into[3 * w + 2] = third[w]
    else:
        beside = np.uint64(channels)
        for c in range(beside):
            row = line[c * columns : (c + 1) * columns]
            for w in range(columns):
                into[w * beside + c] = row[w]


@numba.njit(nogil=True, fastmath=FASTMATH, error_model="numpy", inline="always")
def _reverse(line: Any, columns: Any, channels: int, into: Any) -> None:
    """Pixels in the other direction."""
    last, beside = columns - np.uint64(1), np.uint64(channels)
    if channels == 3:
        for w in range(columns):
            v = 3 * (last - w)
            into[3 * w] = line[v]
            into[3 * w + 1] = line[v + 1]
            into[3 * w + 2] = line[v + 2]
    else:
        for w in range(columns):
            for c in range(beside):
                into[w * beside + c] = line[(last - w) * beside + c]
