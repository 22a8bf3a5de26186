"""What tells images apart, or finds those that are the same or nearly so, without keeping them.

The perceptual hash is dHash (N. Krawetz, "Kind of like that", hackerfactor.com, 2013) in both directions, with a
margin: an image is brought to 9x9 greys, the means of as many parts, and each bit says whether a grey is above its
neighbour to the left (64 bits), or above that over it (64 bits), by more than a few levels.  Other sizes of an image,
other JPEG qualities and small changes of brightness leave most bits; where an image is flat, all bits are 0.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import numpy as np

from netcli.sources.visible import as_bytes

SIDE = 9  # greys of the small image, in each direction
MARGIN = 3  # levels of 255 that neighbours differ by, to count
WORDS = 8  # of 16 bits in a hash


class Fingerprint(NamedTuple):
    """Of one image.

    digest   16 bytes that differ for images that differ in size or in any pixel
    bits     (8,) uint16, the perceptual hash
    greys    (81,) uint8, the small image
    """

    digest: bytes
    bits: Any
    greys: Any


def fingerprint(image: Any) -> Fingerprint:
    """Of an image (C, H, W), uint8 or floats, which are stretched to bytes for the hash."""
    told = hashlib.blake2b(repr((image.shape, image.dtype.str)).encode(), digest_size=16)
    told.update(image.tobytes())
    greys = small(as_bytes(image))
    across = greys[1:, 1:] > greys[1:, :-1] + MARGIN
    down = greys[1:, 1:] > greys[:-1, 1:] + MARGIN
    bits = np.packbits(np.concatenate([across.ravel(), down.ravel()])).view(np.uint16)
    return Fingerprint(told.digest(), bits, np.rint(greys).astype(np.uint8).ravel())


def small(image: Any) -> Any:
    """(9, 9) float32, the mean grey of each part of an image (C, H, W) uint8; parts of a small one share its pixels."""
    grey = image.sum(0, dtype=np.uint32)
    for axis in (0, 1):
        size = grey.shape[axis]
        starts = np.arange(SIDE) * size // SIDE
        ends = np.append(starts[1:], size)
        # Where a part would be empty, reduceat gives its first pixel.
        grey = np.add.reduceat(grey, starts, axis=axis)
        counts = np.maximum(ends - starts, 1).astype(np.float32)
        grey = grey / (counts[:, None] if axis == 0 else counts)
    return (grey / len(image)).astype(np.float32)
