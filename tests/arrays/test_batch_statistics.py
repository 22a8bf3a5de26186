"""Statistics of large batches: long sums in float32 would lose the digits that Caffe's numbers have."""

import numpy as np
import pytest

from arrays.emulated.card import EmulatedCard
from arrays.emulated.plans import HostPlan
from netcli.arrays.ops import Ops
from netcli.blob import Blob

ENGINES = ["plain", "auto", "card"]


def normalised(x, engine):
    channels = x.shape[1]
    if engine == "card":
        card = EmulatedCard()
        plan = HostPlan(Ops(device=card).batch_norm(x.shape, 1e-5, use_global=False), card)
    else:
        plan = Ops(engine).batch_norm(x.shape, 1e-5, use_global=False)
    source, y, mean, var = Blob(x.shape), Blob(x.shape), np.empty(channels, "f4"), np.empty(channels, "f4")
    source.data[...] = x
    plan.forward(source.data, mean, var, None, None, y.data)
    return y.data, mean, var


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(12, 3, 96, 96), (5, 20, 33, 31), (701, 9), (6, 2, 5, 40, 61)])
def test_digits_of_large_batches(shape, engine):
    x = np.random.default_rng(3).normal(10, 1, shape).astype(np.float32)
    exact = x.astype(np.float64)
    axes = (0, *range(2, x.ndim))
    y, mean, var = normalised(x, engine)
    np.testing.assert_allclose(mean, exact.mean(axes), rtol=2e-6)
    np.testing.assert_allclose(var, exact.var(axes), rtol=2e-6)
    means, variances = exact.mean(axes, keepdims=True), exact.var(axes, keepdims=True)
    np.testing.assert_allclose(y, (exact - means) / np.sqrt(variances + 1e-5), atol=1.5e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_channel_that_is_constant_has_no_variance(engine):
    x = np.ones((4, 2, 30, 30), np.float32) * np.float32([[[0.1]], [[-77.7]]])
    _, mean, var = normalised(x, engine)
    np.testing.assert_allclose(mean, x[0, :, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(var, 0, atol=1e-6)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_shows_in_its_channel_alone(engine, value):
    x = np.random.default_rng(3).normal(0, 1, (4, 3, 30, 30)).astype(np.float32)
    x[1, 2, 3, 4] = value
    with np.errstate(all="ignore"):
        y, _, var = normalised(x, engine)
    assert np.isnan(var[2])
    assert np.isnan(y[:, 2]).any()
    assert np.isfinite(y[:, :2]).all()
