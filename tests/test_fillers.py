import math

import numpy as np
import pytest

from netcli import fillers
from netcli.arrays import random
from netcli.arrays.layout import view
from netcli.errors import NetcliError
from netcli.prototxt import schema


def filler(**fields):
    return schema.FillerParameter(**fields)


def filled(shape, dtype=np.float32, seed=0, **fields):
    data = np.full(shape, np.nan, dtype)
    given = filler(**fields)
    fillers.check(given, shape)
    fillers.fill(given, data, random.stream(seed, "fill test"))
    assert data.dtype == dtype
    return data


def test_none_is_zeros():
    data = np.full((2, 3), np.nan)
    fillers.check(None, (2, 3))
    fillers.fill(None, data, random.stream(0, "fill test"))
    assert not data.any()


def test_constant():
    assert (filled((2, 3)) == 0).all()
    assert (filled((2, 3), type="constant", value=0.5) == 0.5).all()
    assert filled((), value=2) == 2


# Of n draws the mean is off by sigma / sqrt(n), the standard deviation by sigma / sqrt(2 n) or less.
def check_moments(data, mean, std):
    n = data.size
    assert abs(data.mean(dtype=np.float64) - mean) < 5 * std / math.sqrt(n)
    assert abs(data.std(dtype=np.float64) - std) < 5 * std / math.sqrt(n)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_uniform(dtype):
    data = filled((100, 200), dtype, type="uniform", min=-1, max=3)
    assert data.min() >= -1
    assert data.max() <= 3
    check_moments(data, 1, 4 / math.sqrt(12))
    assert (filled((3,), type="uniform", min=2, max=2) == 2).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gaussian(dtype):
    data = filled((100, 200), dtype, type="gaussian", mean=2, std=0.5)
    check_moments(data, 2, 0.5)
    within = (np.abs(data - 2) < 0.5).mean()
    assert abs(within - math.erf(1 / math.sqrt(2))) < 0.02  # as a normal distribution has it


def test_sparse_gaussian():
    data = filled((50, 400), type="gaussian", std=2, sparse=10)
    share = (data != 0).mean()
    assert abs(share - 10 / 50) < 5 * math.sqrt(0.2 * 0.8 / data.size)
    check_moments(data[data != 0], 0, 2)
    assert not filled((5, 4), type="gaussian", sparse=0).any()
    assert filled((5, 4), type="gaussian", sparse=5).all()


def test_positive_unitball():
    data = filled((20, 3, 4, 5), type="positive_unitball")
    assert (data >= 0).all()
    np.testing.assert_allclose(data.sum((1, 2, 3)), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("shape", "norm", "n"),
    [
        ((40, 30, 3, 5), "FAN_IN", 30 * 15),
        ((40, 30, 3, 5), "FAN_OUT", 40 * 15),
        ((40, 30, 3, 5), "AVERAGE", 35 * 15),
        ((300, 100), "FAN_IN", 100),
        ((300, 100), "FAN_OUT", 300),
        ((9000,), "FAN_IN", 1),
        ((9000,), "FAN_OUT", 9000),
        ((9000,), "AVERAGE", 9001 / 2),
    ],
)
def test_xavier_and_msra(shape, norm, n):
    norm = schema.FillerParameter.VarianceNorm.Value(norm)
    assert fillers.fan(shape, norm) == n
    xavier = filled(shape, type="xavier", variance_norm=norm)
    bound = math.sqrt(3 / n)
    assert 0.99 * bound < np.abs(xavier).max() <= bound * (1 + 1e-6)
    check_moments(xavier, 0, math.sqrt(1 / n))
    check_moments(filled(shape, type="msra", variance_norm=norm), 0, math.sqrt(2 / n))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_bilinear(size):
    data = filled((2, 3, size, size), type="bilinear")
    f = math.ceil(size / 2)
    c = (size - 1) / (2 * f)
    for y, x in np.ndindex(size, size):
        want = (1 - abs(x / f - c)) * (1 - abs(y / f - c))
        np.testing.assert_allclose(data[:, :, y, x], want, rtol=1e-6)


def test_bilinear_weights_keep_a_plane():
    data = filled((1, 1, 4, 4), type="bilinear")[0, 0]
    for corner in np.ndindex(2, 2):  # the cells that meet one pixel at stride 2
        assert data[corner[0] :: 2, corner[1] :: 2].sum() == pytest.approx(1)


@pytest.mark.parametrize("type", sorted(fillers.FILLERS))
def test_channels_last_memory_gets_the_same_values(type):
    shape = (2, 3, 4, 4)
    plain = filled(shape, type=type)
    data = view(np.empty(plain.size, np.float32), shape, channels_last=True)
    fillers.fill(filler(type=type), data, random.stream(0, "fill test"))
    np.testing.assert_allclose(data, plain, rtol=1e-6)


def test_draws_depend_on_the_seed():
    a, b, c = (filled((100,), type="gaussian", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).all()


@pytest.mark.parametrize(
    ("fields", "shape", "field", "message"),
    [
        ({"type": "xaveir"}, (2, 3), "type", "there is no filler 'xaveir'; did you mean 'xavier'?"),
        ({"type": "gaussian", "std": 0}, (2, 3), "std", "a gaussian filler needs a std above 0, got 0"),
        ({"type": "gaussian", "std": -1}, (2, 3), "std", "a gaussian filler needs a std above 0, got -1"),
        (
            {"type": "gaussian", "sparse": 3},
            (2, 3),
            "sparse",
            "sparse is 3; it is the number of items along axis 0 of (2, 3) that are not zero, on average: 0 to 2",
        ),
        (
            {"type": "gaussian", "sparse": -2},
            (2, 3),
            "sparse",
            "sparse is -2; it is the number of items along axis 0 of (2, 3) that are not zero, on average: 0 to 2",
        ),
        (
            {"type": "xavier", "sparse": 1},
            (2, 3),
            "sparse",
            "sparse goes with the gaussian filler only, not with 'xavier'",
        ),
        ({"type": "uniform", "min": 2}, (2, 3), "min", "a uniform filler needs min <= max, got min 2 and max 1"),
        ({"type": "msra", "alpha": 0.25}, (2, 3), "alpha", "alpha, a field of caffe-windows, is not in netcli yet"),
        ({"type": "msra"}, (), "type", "the msra filler needs at least one axis, the parameter has none"),
        (
            {"type": "bilinear"},
            (2, 3, 4, 5),
            "type",
            "the bilinear filler needs 4 axes and square kernels, the parameter is (2, 3, 4, 5)",
        ),
    ],
)
def test_refusals(fields, shape, field, message):
    with pytest.raises(NetcliError) as caught:
        fillers.check(filler(**fields), shape, "convolution_param.weight_filler")
    assert str(caught.value) == message
    assert caught.value.field == f"convolution_param.weight_filler.{field}"
