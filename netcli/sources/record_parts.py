"""Records dealt out to several parts, by number or by fraction, by chance, alike in their labels if wanted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from netcli.arrays import random
from netcli.errors import DataError

REST = "rest"


@dataclass(frozen=True)
class Share:
    """How much a part is to have: a number of records, a fraction of all, or (both None) what the others leave."""

    count: int | None = None
    fraction: float | None = None


def read_share(text: str) -> Share | None:
    """`500` records, `0.8` or `80%` of all, or `rest`; None for any other text."""
    if text == REST:
        return Share()
    if re.fullmatch(r"\d+", text):
        return Share(count=int(text))
    if re.fullmatch(r"\d*\.\d+|\d+\.|\d+(\.\d*)?%", text):
        fraction = float(text.rstrip("%")) / (100 if text.endswith("%") else 1)
        return Share(fraction=fraction) if fraction <= 1 else None
    return None


def part_sizes(shares: Sequence[Share], total: int) -> list[int]:
    """Records of each part, of `total`; fractions that make up 1 leave none over.

    Raises DataError where the parts want more than there are, or one would have none.
    """
    rest = [i for i, share in enumerate(shares) if share == Share()]
    if len(rest) > 1:
        raise DataError(f"{len(rest)} parts are to have the rest; one may")
    wanted = np.array([share.count or (share.fraction or 0) * total for share in shares], np.float64)
    if wanted.sum() > total * (1 + 1e-9):
        raise DataError(f"the parts want {wanted.sum():.0f} records of {total}")
    sizes = np.floor(wanted + 1e-6).astype(int)
    spare = round(wanted.sum()) - int(sizes.sum())
    for i in np.argsort(sizes - wanted, kind="stable")[:spare]:
        sizes[i] += 1
    if rest:
        sizes[rest[0]] = total - sizes.sum()
    for i, size in enumerate(sizes):
        if size < 1:
            raise DataError(f"part {i + 1} would have none of {total} records")
    return [int(size) for size in sizes]


def deal(sizes: Sequence[int], total: int, seed: int, labels: Any = None) -> Any:
    """Which part each record goes to, (total,) int: 0 .. len(sizes) - 1, and -1 for those left over.

    The records are taken in random order, with `labels` (total,) those of one label after the other, and each goes
    to the part that is furthest behind its share.  So each part has its size exactly, and of two parts each has of
    every label its share to within one record; of more parts, about that.
    """
    rank = random.permutation(seed, "split", 0, total)
    order = rank if labels is None else rank[np.argsort(np.asarray(labels)[rank], kind="stable")]
    left_over = total - sum(sizes)
    wanted = [*sizes, *([left_over] if left_over else [])]
    parts = np.full(total, -1)
    given = [0] * len(wanted)
    for place, index in enumerate(order.tolist(), 1):
        # behind[p] = wanted[p] * place / total - given[p], times total
        best = max(
            (p for p in range(len(wanted)) if given[p] < wanted[p]),
            key=lambda p: wanted[p] * place - given[p] * total,
        )
        given[best] += 1
        parts[index] = best if best < len(sizes) else -1
    return parts
