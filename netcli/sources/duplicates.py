"""Images that are there twice, or nearly so, among many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netcli.sources.fingerprint import Fingerprint

BITS = 12  # of 128 that hashes of near duplicates differ in, at most
ALIKE = 0.97  # correlation of their small images, at least; photographs that are cut or stored otherwise have it
NOISE = 2.0  # levels of 255 that are no contrast, for the correlation
BRIGHTNESS = 32.0  # levels of 255 that their means are apart, at most
NEIGHBOURS = 300  # compared with each image, of those with which it shares a word of the hash

_COUNTS = np.array([number.bit_count() for number in range(1 << 16)], np.uint8)


@dataclass
class Duplicates:
    """Among n images, by their numbers.

    same   groups of two or more that have the same pixels, each in rising order
    near   (pairs, 2) int, rising, of images that are nearly the same; of a group in `same` only the first counts
    """

    same: list[list[int]]
    near: Any


def find_duplicates(prints: Sequence[Fingerprint], alike: float = ALIKE) -> Duplicates:
    """Equal images, and near ones, by the constants above, and `alike` in place of ALIKE.

    Drawings of one form, such as digits, are as near to each other as photographs are only to their copies: of MNIST's
    there are more pairs than images.

    Images that share one of the 8 words of the hash are compared.  Hashes that differ in at most 7 bits do so surely,
    and nine of ten of those that differ in 12 by chance.  Where more than NEIGHBOURS share a word, each is compared
    with as many of them as follow it, so that a million frames of one film take no day.
    """
    groups: dict[bytes, list[int]] = {}
    for number, each in enumerate(prints):
        groups.setdefault(each.digest, []).append(number)
    first = np.array([group[0] for group in groups.values()], int)
    same = [group for group in groups.values() if len(group) > 1]
    if len(first) < 2:
        return Duplicates(same, np.empty((0, 2), int))
    bits = np.stack([prints[i].bits for i in first])
    greys = np.stack([prints[i].greys for i in first])
    return Duplicates(same, first[_near(bits, greys, alike)])


def _near(bits: Any, greys: Any, alike: float) -> Any:
    """(pairs, 2), rising."""
    found: list[Any] = [np.empty((0, 2), int)]
    for word in bits.T:
        order = np.argsort(word, kind="stable")
        word = word[order]
        here = np.arange(len(word) - 1)
        for ahead in range(1, NEIGHBOURS + 1):
            # Those that have the same word as the one so far ahead of them; they are ever fewer.
            here = here[: np.searchsorted(here, len(word) - ahead)]
            here = here[word[here] == word[here + ahead]]
            if not len(here):
                break
            found.append(_alike(bits, greys, order[here], order[here + ahead], alike))
    return np.unique(np.concatenate(found), axis=0)


def _alike(bits: Any, greys: Any, a: Any, b: Any, alike: float) -> Any:
    """Those of the pairs (a[i], b[i]) that are near duplicates, (pairs, 2), the lower number first."""
    apart = _COUNTS[bits[a] ^ bits[b]].sum(1)
    a, b = a[apart <= BITS], b[apart <= BITS]
    x, y = greys[a].astype(np.float64), greys[b].astype(np.float64)
    mean_x, mean_y = x.mean(1), y.mean(1)
    x, y = x - mean_x[:, None], y - mean_y[:, None]
    noise = x.shape[1] * NOISE**2
    correlation = ((x * y).sum(1) + noise) / np.sqrt(((x * x).sum(1) + noise) * ((y * y).sum(1) + noise))
    close = (correlation >= alike) & (np.abs(mean_x - mean_y) <= BRIGHTNESS)
    return np.stack([np.minimum(a, b)[close], np.maximum(a, b)[close]], axis=1)
