"""Clipping of gradients by their common length.

Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
arXiv:1211.5063.  As in Caffe the length is that of the gradients as backward summed them: before the
division by iter_size and before the decay is added.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

ROW = 8192  # items summed in the arrays' own precision before their sum goes to a double


def length(gradients: Iterable[Any]) -> float:
    """The L2 norm of flat arrays taken together.

    Rows are summed by einsum, not by BLAS, whose dot product has other last bits at another number of
    threads; and the rows' sums in double, which does not overflow where float32 would.
    """
    total = 0.0
    for g in gradients:
        whole = g.size - g.size % ROW
        rows = g[:whole].reshape(-1, ROW)
        total += float(np.einsum("ij,ij->i", rows, rows).sum(dtype=np.float64))
        total += float(np.einsum("i,i->", g[whole:], g[whole:]))
    return math.sqrt(total)


def factor(norm: float, limit: float) -> float:
    """What the gradients are multiplied with: 1, or less where their norm is above `limit`; limit < 0 is none."""
    return limit / norm if 0 <= limit < norm else 1.0
