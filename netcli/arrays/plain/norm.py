"""The length of several arrays taken together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape

ROW = 8192  # items summed in the arrays' own precision before their sum goes to a double


class Norm:
    """See `Ops.norm`.

    Rows are summed by einsum, not by BLAS, whose dot product has other last bits at another number of threads.
    """

    def __init__(self, shapes: Sequence[Shape], dtype: Any) -> None:
        """Shapes and type are those of the arrays."""

    def forward(self, xs: Sequence[Any]) -> float:
        total = 0.0
        for x in xs:
            flat = x.reshape(-1)
            whole = flat.size - flat.size % ROW
            rows = flat[:whole].reshape(-1, ROW)
            total += float(np.einsum("ij,ij->i", rows, rows).sum(dtype=np.float64))
            total += float(np.einsum("i,i->", flat[whole:], flat[whole:]))
        return math.sqrt(total)
