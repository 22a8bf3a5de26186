"""The statistics of batches, summed up as they come."""

from __future__ import annotations

from typing import Any


class MovingStatistics:
    """See `Ops.moving_statistics`."""

    def __init__(self, channels: int, items: int, fraction: float, dtype: Any) -> None:
        self.fraction = fraction
        self.unbiased = items / (items - 1) if items > 1 else 1

    def update(self, mean: Any, var: Any, mean_sum: Any, var_sum: Any, s: Any) -> None:
        for total, value in ((mean_sum, mean), (var_sum, var * self.unbiased), (s, 1)):
            total *= self.fraction
            total += value
