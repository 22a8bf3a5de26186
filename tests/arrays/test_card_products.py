"""What the products' bodies for cards are made of, and what tests/arrays/bodies doesn't ask of them."""

import numpy as np
import pytest

from arrays.emulated.card import EmulatedCard
from arrays.emulated.plans import HostPlan
from netcli.arrays.cuda.column_sums import ColumnSums
from netcli.arrays.cuda.inner_product import InnerProduct
from netcli.arrays.cuda.reorder import Transposition
from netcli.arrays.layout import view
from netcli.arrays.plain.bfloat16 import rounded
from netcli.arrays.plain.inner_product import InnerProduct as PlainInnerProduct
from netcli.arrays.work_space import Calls

CARD = EmulatedCard()


def normal(*shape, seed=3):
    return np.random.default_rng(seed).standard_normal(shape).astype("f4")


def activation(*shape, seed=3):
    """Channels-last."""
    out = view(np.empty(int(np.prod(shape)), "f4"), shape, True)
    out[...] = normal(*shape, seed=seed)
    return out


@pytest.mark.parametrize("sizes", [(2, 3, 5), (1, 40, 70), (3, 64, 32), (2, 1, 33), (0, 4, 5)])
@pytest.mark.parametrize("add", [False, True])
def test_transposition(sizes, add):
    x = normal(*sizes)
    there, y = CARD.from_host(x.reshape(-1)), CARD.from_host(np.full(x.size, 2.0, "f4"))
    Transposition(CARD, *sizes, "f4")(there, y, add)
    want = x.swapaxes(1, 2).reshape(-1)
    np.testing.assert_array_equal(CARD.to_host(y), want + np.float32(2) if add else want)


@pytest.mark.parametrize("sizes", [(1, 1), (5, 3), (3000, 7), (700, 130), (0, 4)])
@pytest.mark.parametrize("rounds", [False, True])
def test_column_sums(sizes, rounds):
    x = normal(*sizes)
    there, y = CARD.from_host(x.reshape(-1)), CARD.from_host(np.full(sizes[1], np.nan, "f4"))
    sums = ColumnSums(CARD, *sizes, "f4", rounds)
    want = np.float64(rounded(x) if rounds else x).sum(0)
    sums(there, y, False)
    np.testing.assert_allclose(CARD.to_host(y), want, rtol=1e-6, atol=1e-6)
    sums(there, y, True)
    np.testing.assert_allclose(CARD.to_host(y), 2 * want, rtol=1e-6, atol=1e-6)


def test_sums_lose_no_digits():
    x = np.full((300_000, 1), 0.1, "f4")
    y = CARD.zeros(1, "f4")
    ColumnSums(CARD, *x.shape, "f4")(CARD.from_host(x.reshape(-1)), y, False)
    np.testing.assert_allclose(CARD.to_host(y), np.float64(x).sum(), rtol=1e-7)


@pytest.mark.parametrize("relu", [None, 0.0, 0.25])
@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("case", [((3, 40), 1, 5, False, True), ((2, 3, 6, 5), 1, 16, True, False)])
def test_inner_product_of_strange_numbers(case, relu, bf16):
    plan, definition = (
        HostPlan(InnerProduct(CARD, *case, "f4", relu, bf16), CARD),
        PlainInnerProduct(*case, "f4", relu, bf16),
    )
    items = int(np.prod(case[0][case[1] :]))
    w = normal(items, case[2]) if case[3] else normal(case[2], items)
    b = normal(case[2]) if case[4] else None
    for value in (1, np.nan, np.inf, -np.inf):
        x = activation(*case[0]) if len(case[0]) == 4 else normal(*case[0])
        x[(0, 1, *[2] * (x.ndim - 2))] = value
        y, want = (np.full(plan.y_shape, np.nan, "f4") for _ in range(2))
        with np.errstate(all="ignore"):
            definition.forward(x, w, b, want)
            plan.forward(x, w, b, y)
        np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-5)


def test_an_inner_product_without_rows():
    plan = HostPlan(InnerProduct(CARD, (0, 3, 2, 2), 1, 5, False, True, "f4", 0.0), CARD)
    w, b = normal(5, 12), normal(5)
    x, y, dw, db = normal(0, 3, 2, 2), np.zeros((0, 5), "f4"), np.full((5, 12), np.nan, "f4"), np.full(5, np.nan, "f4")
    plan.forward(x, w, b, y)
    plan.backward_weights(x, y, dw, db, False)
    assert not dw.any()
    assert not db.any()


def test_work_space_of_an_inner_product():
    """x goes into Caffe's order in memory that passes; the sums of biases' gradients keep theirs."""
    plan = InnerProduct(CARD, (2, 3, 6, 5), 1, 16, False, True, "f4")
    space = plan.work_space(Calls(forward=True))
    assert (space.kept, space.passing) == (0, 4 * 2 * 3 * 6 * 5)
    assert plan.work_space(Calls(weights=True)).kept == 8 * 16
    assert InnerProduct(CARD, (2, 3, 1, 1), 1, 16, False, True, "f4").work_space(Calls()).passing == 0
