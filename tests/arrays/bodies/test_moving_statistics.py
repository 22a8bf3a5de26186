"""Every body of `moving_statistics` gives the numbers of its formula."""

import numpy as np
import pytest

from arrays.bodies.checks import Arrays, bodies, dtypes, plan


@bodies("moving_statistics")
@dtypes
@pytest.mark.parametrize(("channels", "items", "fraction"), [(5, 40, 0.9), (700, 2, 0.999), (3, 1, 0.5), (1, 7, 0)])
def test_moving_statistics(body, dtype, channels, items, fraction):
    arrays = Arrays(dtype)
    moving = plan(body, channels, items, fraction, arrays.dtype)
    sums = [arrays.normal(channels), np.abs(arrays.normal(channels)), arrays.of(np.array([2.0]))]
    want = [each.astype(np.float64) for each in sums]
    for _ in range(3):
        mean, var = arrays.normal(channels), np.abs(arrays.normal(channels))
        moving.update(mean, var, *sums)
        unbiased = np.float64(var) * items / max(1, items - 1)
        want = [total * fraction + value for total, value in zip(want, (mean, unbiased, 1), strict=True)]
    for got, expected in zip(sums, want, strict=True):
        arrays.close(got, expected)
