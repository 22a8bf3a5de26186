"""Floats that are whole numbers, as indices."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape


class WholeNumbers:
    """See `Ops.whole_numbers`."""

    def __init__(self, shape: Shape, limit: int, ignore: int | None, dtype: Any) -> None:
        self._limit, self._ignore = limit, ignore
        self.wrong = np.zeros(3)

    def forward(self, values: Any) -> tuple[Any, Any]:
        limit, ignore = self._limit, self._ignore
        fits = (values >= 0) & (values < limit) & (values == np.floor(values))
        if fits.all():  # then `ignore` matters only where it is one of them
            ignored = None if ignore is None or not 0 <= ignore < limit else values == ignore
        else:
            ignored = None if ignore is None else values == ignore
            wrong = ~fits if ignored is None else ~(fits | ignored)
            if wrong.any() and not self.wrong[0]:
                place = int(wrong.argmax())
                self.wrong[:] = 1, place, values.reshape(-1)[place]
            values = np.where(fits if ignored is None else fits & ~ignored, values, 0)
        if ignored is not None and not ignored.any():
            ignored = None
        return values.astype(np.intp), ignored
