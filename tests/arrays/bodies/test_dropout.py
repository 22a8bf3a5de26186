"""Every body of `dropout` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays import references
from arrays.bodies.checks import CARD, Arrays, bodies, dtypes, is_of_card, layouts, plan
from netcli.arrays.device import CPU
from netcli.arrays.varying import Varying


@bodies("dropout")
@dtypes
@layouts
@pytest.mark.parametrize(
    "shape", [(3, 5), (2, 3, 4, 5), (2, 7, 1, 1), (3, 700), (5, 1500), (2, 3, 4, 4), (3, 50, 7, 9), (0, 3, 2, 2)]
)
@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.5])
def test_dropout(body, dtype, layout, shape, ratio):
    arrays = Arrays(dtype, layout)
    dropout = plan(body, shape, ratio, arrays.dtype)
    x, y, dx = arrays.normal(*shape), arrays.dirty(*shape), arrays.dirty(*shape)
    for major in (0, 1):
        factor = references.dropout_mask(shape, ratio, 17, "dropout d", major) / (1 - ratio)
        dropout.forward(x, y, 17, "dropout d", major)
        arrays.close(y, x * factor)
        dropout.backward(x, dx)
        arrays.close(dx, x * factor)
    dropout.forward(x, x, 17, "dropout d", 1)
    arrays.close(x, y)


@bodies("dropout")
@pytest.mark.parametrize("shape", [(3, 50), (2, 5, 3, 3)])
def test_dropout_by_a_number_that_varies(body, shape):
    arrays = Arrays("f4")
    dropout = plan(body, shape, 0.5, arrays.dtype)
    major = Varying(2**40, np.uint64, CARD if is_of_card(body) else CPU)
    x, y, dx = arrays.of(np.ones(shape)), arrays.dirty(*shape), arrays.dirty(*shape)
    for number in (2**40, 3, 4):
        major.value = number
        dropout.forward(x, y, 17, "d", major)
        np.testing.assert_array_equal(y > 0, references.dropout_mask(shape, 0.5, 17, "d", number))
        major.value = number + 1  # the gradient is of what was drawn, whatever comes next
        dropout.backward(x, dx)
        np.testing.assert_array_equal(dx, y)
    dropout.forward(x, y, 18, "e", 9)
    np.testing.assert_array_equal(y > 0, references.dropout_mask(shape, 0.5, 18, "e", 9))


@bodies("dropout")
@pytest.mark.parametrize("shape", [(4,), (1, 2, 2, 1)])
def test_dropout_of_what_is_not_finite(body, shape):
    arrays = Arrays("f4")
    x = arrays.of(np.array([np.nan, np.inf, -np.inf, -1]).reshape(shape))
    dropout, y = plan(body, shape, 0.5, arrays.dtype), arrays.dirty(*shape)
    seen = set()
    with np.errstate(invalid="ignore"):
        for major in range(8):
            dropout.forward(x, y, 17, "d", major)
            keep = references.dropout_mask(shape, 0.5, 17, "d", major)
            np.testing.assert_array_equal(y, x * keep * 2)
            seen |= set(keep.reshape(-1))
    assert seen == {False, True}


@pytest.mark.parametrize("block", [1, 3])
def test_dropout_in_blocks(monkeypatch, block):
    monkeypatch.setattr("netcli.arrays.plain.dropout.BLOCK", block)
    x = np.ones(61, "f4")
    dropout = plan("plain.dropout:Dropout", x.shape, 0.5, x.dtype)
    dropout.forward(x, x, 3, "d", 2)
    np.testing.assert_array_equal(x > 0, references.dropout_mask((61,), 0.5, 3, "d", 2))


def test_dropout_keeps_its_share():
    x = np.ones(100_000, "f4")
    dropout = plan("plain.dropout:Dropout", x.shape, 0.2, x.dtype)
    dropout.forward(x, x, 1, "d", 0)
    assert abs((x > 0).mean() - 0.8) < 5 * (0.8 * 0.2 / x.size) ** 0.5
    assert abs(x.mean() - 1) < 0.01
