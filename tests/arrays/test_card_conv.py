"""What convolution on a card does behind its products, in blocks, and with filters that stay."""

import numpy as np
import pytest

from arrays.bodies.checks import Arrays, is_of_card
from arrays.bodies.test_conv import CONVOLUTIONS, check_conv
from arrays.emulated.card import EmulatedCard
from arrays.emulated.plans import HostPlan
from arrays.test_card_products import activation, normal
from netcli.arrays.bodies import BODIES, body_class
from netcli.arrays.plain.conv import Conv as PlainConv
from netcli.arrays.unsupported import Unsupported
from netcli.arrays.work_space import Calls

CARD = EmulatedCard()
of_card = pytest.mark.parametrize("body", [body for body in BODIES["conv"] if is_of_card(body)])
names = pytest.mark.parametrize("name", CONVOLUTIONS)


def plans(body, case, *args, **options):
    """The body's and the definition."""
    try:
        return HostPlan(body_class(body)(CARD, *case, "f4", *args, **options), CARD), PlainConv(
            *case, "f4", *args, **options
        )
    except Unsupported as reason:
        pytest.skip(str(reason))


def arrays_of(case, seed=3):
    """x, w, b."""
    shape, filters, kernel, group, bias = case[0], case[1], case[2], case[6], case[7]
    x = activation(*shape, seed=seed) if len(shape) == 4 else normal(*shape, seed=seed)
    return x, normal(filters, shape[1] // group, *kernel, seed=seed + 1), normal(filters, seed=9) if bias else None


@of_card
@names
@pytest.mark.parametrize("value", [1, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "after",
    [
        {"relu": 0.0},
        {"relu": 0.25},
        {"add": True},
        {"relu": 0.0, "add": True},
        {"affine": True},
        {"relu": 0.1, "add": True, "affine": True},
        {"prelu": True},
        {"prelu": True, "add": True, "affine": True},
    ],
    ids=lambda after: ", ".join(after),
)
def test_what_is_done_to_results(body, name, value, after):
    case = CONVOLUTIONS[name]
    plan, definition = plans(body, case, **after)
    x, w, b = arrays_of(case)
    x[(0, 1, *[2] * (x.ndim - 2))] = value
    filters = case[1]
    more = []
    if after.get("affine"):
        more += [normal(filters, seed=5), normal(filters, seed=6)]
    if after.get("add"):
        more += [normal(*plan.y_shape, seed=7)]
    if after.get("prelu"):
        more += [normal(filters, seed=8)]
    y, want = (np.full(plan.y_shape, np.nan, "f4") for _ in range(2))
    with np.errstate(all="ignore"):
        definition.forward(x, w, b, want, *more)
        plan.forward(x, w, b, y, *more)
    if after.get("relu") == 0:  # slope 0 may be one so small that -inf stays
        y[np.isneginf(y)] = want[np.isneginf(want)] = 0
    np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-4)


@of_card
@names
def test_filters_that_are_held_stay_until_others_are_given(body, name):
    case = CONVOLUTIONS[name]
    plan, definition = plans(body, case, 0.25, held=True)
    x, w, b = arrays_of(case)
    y, want = (np.full(plan.y_shape, np.nan, "f4") for _ in range(2))
    for given in (w, 2 * w):
        plan.hold(given.copy())
        definition.hold(given)
        for _ in range(2):
            plan.forward(x, None, b, y)
            definition.forward(x, None, b, want)
            np.testing.assert_allclose(y, want, rtol=1e-4, atol=1e-4)
    dy, dx, usual = normal(*plan.y_shape), activation(*x.shape), activation(*x.shape)
    if x.ndim == 4:
        plan.backward_data(dy, w, dx)
        definition.backward_data(dy, w, usual)
        np.testing.assert_allclose(dx, usual, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("block", [1, 1500, 3000])
@pytest.mark.parametrize("name", ["3x3", "dilated", "groups", "volume", "1x1, groups"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_conv_in_blocks(monkeypatch, block, name, dtype):
    monkeypatch.setattr("netcli.arrays.cuda.products.BLOCK_BYTES", block)
    check_conv("cuda.conv:Conv", Arrays(dtype), *CONVOLUTIONS[name])


@of_card
@pytest.mark.parametrize("name", ["3x3", "1x1", "groups", "depthwise", "signal"])
def test_a_convolution_without_images(body, name):
    case = CONVOLUTIONS[name]
    case = ((0, *case[0][1:]), *case[1:])
    plan, _ = plans(body, case)
    x, w, b = arrays_of(case)
    y, dx = np.zeros(plan.y_shape, "f4"), np.zeros_like(x)
    dw, db = np.full_like(w, np.nan), np.full(case[1], np.nan, "f4")
    plan.forward(x, w, b, y)
    plan.backward_data(y, w, dx)
    plan.backward_weights(x, y, dw, db, False)
    assert not dw.any()
    assert not db.any()
    dw[...] = 3
    plan.backward_weights(x, y, dw, None, True)
    assert (dw == 3).all()


@of_card
@names
def test_bfloat16_rounds_operands_alone(body, name):
    case = CONVOLUTIONS[name]
    plan, definition = plans(body, case, bf16=True)
    x, w, b = arrays_of(case)
    dy = normal(*plan.y_shape, seed=4)
    results = []
    for each in (plan, definition):
        y, dx, dw = np.zeros(plan.y_shape, "f4"), np.zeros_like(x), np.zeros_like(w)
        db = None if b is None else np.zeros_like(b)
        each.forward(x, w, b, y)
        each.backward_data(dy, w, dx)
        each.backward_weights(x, dy, dw, db, False)
        results.append([y, dx, dw, *([] if db is None else [db])])
    for got, want in zip(*results, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-4)


def test_work_space_is_bounded():
    """Of unrolled windows; of filters that are held it is their size."""
    case = ((64, 64, 56, 56), 64, (3, 3), (1, 1), (1, 1), (1, 1), 1, True)
    conv = body_class("cuda.conv:Conv")
    usual, held = (conv(CARD, *case, "f4", held=held).work_space(Calls()) for held in (False, True))
    assert usual.kept == 0
    assert held.kept == 4 * 64 * 64 * 9
    assert 200 << 20 < usual.passing < 257 << 20
