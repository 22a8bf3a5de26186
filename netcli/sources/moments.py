"""Means, deviations and covariance of the channels of many images, taken while they stream by.

Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", Stanford
STAN-CS-79-773, 1979: two sets of pixels with counts m and n, means a and b, and scatters A and B (sums of the products
of deviations from the mean) have together the scatter A + B + (b - a)(b - a)' m n / (m + n).  No large sums are
subtracted from each other, so that the digits of float64 are kept however many pixels there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import closing
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, size_text
from netcli.errors import DataError
from netcli.sources.ordered import in_blocks
from netcli.sources.record_set import RecordSet

BLOCK = 32  # records that a thread takes at a time; fixed, so that sums are the same on any number of threads
MOST_CHANNELS = 64  # whose covariance is taken
NOT_FINITE = "has values that are nan or infinite"  # what is said of a record


class Moments:
    """Of the pixels of images (C, H, W), in the units of their values.

    images, pixels   how many
    mean             (C,) float64
    squares          (C,) float64, the variances times `pixels`
    scatter          (C, C) float64, the covariance times `pixels`; None of more than MOST_CHANNELS, as features have
    total            (H, W) of each channel summed over the images, (C, H, W) float64; None where sizes differ
    """

    def __init__(self) -> None:
        self.images = self.pixels = 0
        self.mean: Any = None
        self.squares: Any = None
        self.scatter: Any = None
        self.total: Any = None

    @staticmethod
    def of(image: Any) -> Moments:
        """Those of one image."""
        found = Moments()
        found.images, found.pixels = 1, image[0].size
        found.total = image.astype(np.float64, order="C")
        x = found.total.reshape(len(image), -1)  # (C, H*W)
        found.mean = x.mean(1)
        x = x - found.mean[:, None]
        if len(x) <= MOST_CHANNELS:
            found.scatter = x @ x.T
            found.squares = np.diag(found.scatter)
        else:
            found.squares = np.einsum("cn,cn->c", x, x)
        return found

    @property
    def channels(self) -> int:
        return 0 if self.mean is None else len(self.mean)

    def add(self, other: Moments) -> None:
        """Make these those of both; the number of channels is the same."""
        if not other.images:
            return
        if not self.images:
            self.__dict__.update(other.__dict__)
            return
        pixels = self.pixels + other.pixels
        apart = other.mean - self.mean
        self.mean = self.mean + apart * (other.pixels / pixels)
        weight = self.pixels * (other.pixels / pixels)
        self.squares = self.squares + other.squares + apart * apart * weight
        if self.scatter is not None:
            self.scatter = self.scatter + other.scatter + np.outer(apart, apart) * weight
        one_size = self.total is not None and other.total is not None and self.total.shape == other.total.shape
        self.total = self.total + other.total if one_size else None
        self.images, self.pixels = self.images + other.images, pixels

    @property
    def covariance(self) -> Any:
        """(C, C) float64, of all pixels (the sums are divided by their number); None where `scatter` is."""
        return None if self.scatter is None else self.scatter / self.pixels

    @property
    def std(self) -> Any:
        """(C,) float64, the channels' standard deviations."""
        return np.sqrt(self.squares / self.pixels)

    @property
    def mean_image(self) -> Any:
        """(C, H, W) float64; None where the images differ in size."""
        return None if self.total is None else self.total / self.images


def all_finite(image: Any) -> bool:
    """Whether an image, uint8 or floats, has no value that is nan or infinite."""
    return image.dtype == np.uint8 or bool(np.isfinite(image).all())


def moments_of(
    records: RecordSet,
    indices: Iterable[int] | None = None,
    *,
    one_size: bool = False,
    threads: int | None = None,
    told: Callable[[int], None] | None = None,
) -> Moments:
    """The moments of all records, or of some; the same numbers on any number of threads.

    one_size: whether images must all have one size, as a mean image needs
    told: called with the number of records done so far
    Raises DataError where a record is broken or not finite, or differs from the first in its channels, or its size if
    that may not be.
    """
    first: list[Shape] = []

    def of_block(block: list[Any]) -> Moments:
        found = Moments()
        for fetched in block:
            image = records.decode(fetched)[0]
            _check(records, fetched, image, first[0], one_size)
            found.add(Moments.of(image))
        return found

    found = Moments()
    wanted = iter(range(len(records)) if indices is None else indices)
    start = records.fetch(next(wanted))  # decoded by itself, for the shape of the others to be held against
    first.append(records.decode(start)[0].shape)
    items = (each for part in ((start,), map(records.fetch, wanted)) for each in part)
    with closing(in_blocks(of_block, items, BLOCK, threads)) as blocks:
        for block in blocks:
            found.add(block)
            if told is not None:
                told(found.images)
    return found


def _check(records: RecordSet, fetched: Any, image: Any, first: Shape, one_size: bool) -> None:
    shape = image.shape
    if not all_finite(image):
        raise DataError(f"{records.name(fetched)} {NOT_FINITE}")
    if shape[0] != first[0] or (one_size and shape != first):
        rule = "a mean image needs images of one size" if one_size else "their channels must be the same"
        raise DataError(f"{records.name(fetched)} is {size_text(shape)}, the first is {size_text(first)}; {rule}")
