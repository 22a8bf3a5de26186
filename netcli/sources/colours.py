"""Colours to grey and CMYK to RGB, to the same values as OpenCV's image decoders.

Grey is 0.299 R + 0.587 G + 0.114 B in whole numbers, which libpng and OpenCV round in ways of their own.  A JPEG's grey
is its luma channel, and is decoded as such; only a CMYK one has none.  The grey of a WebP, and of a PNG of 16-bit
colours, is within one level of OpenCV's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

# Parts of 2**15 for red, green and blue as libpng has them, of which the sum is cut off.
PNG_BITS, PNG_PARTS = 15, (9797, 19234, 3737)
# Parts of 2**14 as OpenCV has them for every other kind of file, of which the sum is rounded.
BITS, PARTS = 14, (4899, 9617, 1868)


def grey_of(pixels: Any, *, png: bool) -> Any:
    """(H, W, 3) uint8 RGB to (H, W) uint8; png: as libpng does it, to which OpenCV leaves it."""
    bits, parts, rounding = (PNG_BITS, PNG_PARTS, 0) if png else (BITS, PARTS, 1 << (BITS - 1))
    total = np.full(pixels.shape[:2], rounding, np.uint32)
    for channel, part in enumerate(parts):
        total += pixels[..., channel] * np.uint32(part)
    return (total >> np.uint32(bits)).astype(np.uint8)


def rgb_of_cmyk(pixels: Any) -> Any:
    """(H, W, 4) uint8 as Pillow has them, 255 for full ink, to (H, W, 3) uint8."""
    light = np.uint16(255) - pixels[..., 3:]
    return (light - (pixels[..., :3] * light >> np.uint16(8))).astype(np.uint8)
