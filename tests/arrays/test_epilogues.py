"""What convolution and inner product do to their results in the same pass: a sum with another array, ReLU, slopes."""

import contextlib

import numpy as np
import pytest

from arrays.onednn_arrays import F4, array, close, needs_onednn, parameter
from netcli.arrays.choices import Choices
from netcli.arrays.onednn.conv import Conv
from netcli.arrays.onednn.inner_product import InnerProduct
from netcli.arrays.onednn.lrn import LRN
from netcli.arrays.onednn.pool import Pool
from netcli.arrays.onednn.ways import ways
from netcli.arrays.plain import lrn, pool
from netcli.arrays.plain.conv import Conv as PlainConv
from netcli.arrays.plain.inner_product import InnerProduct as PlainInnerProduct
from netcli.arrays.unsupported import Unsupported
from netcli.arrays.work_space import Calls

# x, filters, kernel, stride, pad, dilation, group, bias
CONVOLUTIONS = {
    "3x3": ((2, 32, 9, 8), 24, (3, 3), (1, 1), (1, 1), (1, 1), 1, True),
    "1x1": ((2, 32, 9, 8), 24, (1, 1), (1, 1), (0, 0), (1, 1), 1, True),
    "1x1, stride 2": ((2, 32, 9, 9), 24, (1, 1), (2, 2), (0, 0), (1, 1), 1, False),
    "stem": ((2, 3, 32, 32), 16, (7, 7), (2, 2), (3, 3), (1, 1), 1, True),
    "depthwise": ((2, 16, 9, 8), 16, (3, 3), (1, 1), (1, 1), (1, 1), 16, True),
    "groups, dilated": ((2, 32, 9, 9), 32, (3, 3), (2, 2), (1, 1), (2, 2), 2, False),
    "odd": ((2, 5, 9, 8), 7, (3, 3), (1, 1), (1, 1), (1, 1), 1, True),
    "signal": ((2, 5, 9), 7, (3,), (1,), (1,), (1,), 1, True),
}
epilogues = pytest.mark.parametrize(("relu", "add"), [(None, True), (0.0, False), (0.0, True), (0.25, True)])


def rectified(y, slope):
    return y if slope is None else np.where(y > 0, y, slope * y)


def filters(case):
    """Filters and biases."""
    return parameter(case[1], case[0][1] // case[6], *case[2]), parameter(case[1]) if case[7] else None


@epilogues
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_the_definition(name, relu, add):
    case = CONVOLUTIONS[name]
    x, (w, b) = array(case[0]), filters(case)
    usual, plan = PlainConv(*case, F4), PlainConv(*case, F4, relu, add)
    y, z = array(plan.y_shape), array(plan.y_shape, 1)
    want = np.empty_like(y)
    usual.forward(x, w, b, want)
    want = rectified(want + z if add else want, relu)
    plan.forward(x, w, b, y, *[z] * add)
    close(y, want)


@needs_onednn
@pytest.mark.parametrize(("relu", "add"), [(None, False), (0.0, False), (0.25, True)])
@pytest.mark.parametrize("name", CONVOLUTIONS)
@pytest.mark.parametrize("way", ["channels-last", "free"])
def test_a_factor_and_a_summand_for_each_channel(name, relu, add, way):
    case = CONVOLUTIONS[name]
    x, (w, b) = array(case[0]), filters(case)
    s, t = parameter(case[1]), parameter(case[1]) + 1
    usual = PlainConv(*case, np.float64)
    z, conv = array(usual.y_shape), np.empty(usual.y_shape)
    usual.forward(x, w, b, conv)
    beside = (-1, *[1] * len(case[2]))
    conv = conv * s.reshape(beside) + t.reshape(beside)
    want = rectified(conv + z if add else conv, relu)
    plans = [PlainConv(*case, F4, relu, add, None, True)]
    with contextlib.suppress(Unsupported):  # with add not for all shapes
        plans.append(Conv(*case, F4, relu, add, None, True))
    assert len(plans) == 2 or add
    for plan in plans:
        if isinstance(plan, Conv) and way in plan.has.layouts("forward"):
            plan._run_forward = plan._forward_program(plan.has.forward(plan.has.layouts("forward")[way])).run
        y = array(plan.y_shape, 2)
        plan.forward(x, w, b, y, s, t, *[z] * add)
        close(y, want)


@needs_onednn
@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_slope_for_each_channel(name, add):
    case = CONVOLUTIONS[name]
    w, b = filters(case)
    a = parameter(case[1])
    plans = [PlainConv(*case, F4, None, add, prelu=True)]
    with contextlib.suppress(Unsupported):
        plans.append(Conv(*case, F4, None, add, prelu=True))
    assert len(plans) == 2 or add
    z = array(plans[0].y_shape, 1)
    for x in strange(array(case[0])):
        want = np.empty(plans[0].y_shape)
        with np.errstate(all="ignore"):
            PlainConv(*case, np.float64).forward(np.float64(x), w, b, want)
            want += z if add else 0
            want = rectified(want, a.reshape(-1, *[1] * len(case[2])))
        for plan in plans:
            y = array(plan.y_shape, 2)
            with np.errstate(all="ignore"):
                plan.forward(x, w, b, y, *[z] * add, a)
            finite = np.isfinite(want)
            np.testing.assert_array_equal(np.isfinite(y), finite)
            close(np.where(finite, y, 0), np.where(finite, want, 0))


@needs_onednn
@pytest.mark.parametrize("choices", [None, Choices()])
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_filters_that_are_held_stay_until_others_are_given(name, choices):
    case = CONVOLUTIONS[name]
    x, (w, b) = array(case[0]), filters(case)
    plan, definition = Conv(*case, F4, 0.25, choices=choices, held=True), PlainConv(*case, F4, 0.25, held=True)
    y, want = array(plan.y_shape, 1), array(plan.y_shape, 2)
    for given in (w, 2 * w, w):
        PlainConv(*case, F4, 0.25).forward(x, given, b, want)
        for each in (plan, definition):
            held = given.copy()
            each.hold(held)
            each.forward(x, None, b, y)
            close(y, want)
            held[...] = np.nan
            each.forward(x, None, b, y)
            close(y, want)
    dy, dx, usual = array(plan.y_shape, 3), array(case[0]), array(case[0])
    plan.backward_data(dy, w, dx)
    definition.backward_data(dy, w, usual)
    close(dx, usual)


@needs_onednn
def test_filters_that_are_held_are_told_as_work_space():
    case = CONVOLUTIONS["3x3"]
    for body in (Conv, PlainConv):
        usual, held = (body(*case, F4, held=held).work_space(Calls()) for held in (False, True))
        assert held.kept - usual.kept >= 4 * 24 * 32 * 9
        assert held.passing <= usual.passing


def strange(x):
    """The same with numbers in it that are none, or infinite."""
    yield x
    for value in (np.nan, np.inf, -np.inf):
        other = x.copy(order="K")
        other[(0, 1, *[4] * (x.ndim - 2))] = value
        yield other


@needs_onednn
@epilogues
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_every_way_to_convolve(name, relu, add):
    case = CONVOLUTIONS[name]
    plan, definition = Conv(*case, F4, relu, add), PlainConv(*case, np.float64, relu, add)
    (w, b), z = filters(case), array(plan.y_shape, 1)
    for x in strange(array(case[0])):
        want = np.empty(plan.y_shape)
        with np.errstate(all="ignore"):
            definition.forward(np.float64(x), w, b, want, *[np.float64(z)] * add)
        for _, operation in ways(plan.has.forward, plan.has.layouts("forward")):
            y = array(plan.y_shape, 2)
            plan._forward_program(operation).run(*[x, w, *([] if b is None else [b]), y, *[z] * add])
            if relu == 0:
                y[np.isneginf(y)] = 0
            np.testing.assert_array_equal(np.isfinite(y), np.isfinite(want))
            close(np.where(np.isfinite(want), y, 0), np.where(np.isfinite(want), want, 0))


@needs_onednn
def test_a_sum_with_arrays_in_any_order():
    case = CONVOLUTIONS["3x3"]
    plan, x, (w, b) = Conv(*case, F4, 0.0, True), array(case[0]), filters(case)
    z, y, other = (array(plan.y_shape, seed) for seed in (1, 2, 3))
    plan.forward(x, w, b, y, z)
    plan.forward(x, w, b, other, np.ascontiguousarray(z))
    close(other, y)


@needs_onednn
def test_backward_is_the_plain_convolutions():
    case = CONVOLUTIONS["3x3"]
    usual, plan, x = Conv(*case, F4), Conv(*case, F4, 0.0, True), array(case[0])
    w, dy = parameter(*plan.w_shape), array(plan.y_shape)
    results = []
    for each in (usual, plan):
        dx, dw, db = array(case[0]), np.empty_like(w), np.empty(24, F4)
        each.backward_data(dy, w, dx)
        each.backward_weights(x, dy, dw, db, False)
        results.append((dx, dw, db))
    for one, other in zip(*results, strict=True):
        np.testing.assert_array_equal(one, other)


@needs_onednn
@pytest.mark.parametrize("relu", [0.0, 0.25])
@pytest.mark.parametrize(
    "case", [((3, 40), 1, 5, False, True), ((2, 3, 6, 5), 1, 16, True, False), ((4, 5, 6), 2, 3, False, True)]
)
def test_inner_product(case, relu):
    usual = PlainInnerProduct(*case, F4)
    plan, definition = InnerProduct(*case, F4, relu), PlainInnerProduct(*case, F4, relu)
    items = int(np.prod(case[0][case[1] :]))
    w = parameter(items, case[2]) if case[3] else parameter(case[2], items)
    b = parameter(case[2]) if case[4] else None
    for x in strange(array(case[0])) if len(case[0]) > 2 else [array(case[0])]:
        want, defined, y = (np.empty(plan.y_shape, F4) for _ in range(3))
        with np.errstate(all="ignore"):
            usual.forward(x, w, b, want)
            definition.forward(x, w, b, defined)
        plan.forward(x, w, b, y)
        if relu == 0:
            for found in (want, y):
                found[np.isneginf(found)] = 0
        finite = np.isfinite(want)
        want = rectified(np.where(finite, want, 0), relu)
        for found in (defined, y):
            np.testing.assert_array_equal(np.isfinite(found), finite)
            close(np.where(finite, found, 0), want)


@needs_onednn
def test_an_inner_product_is_by_the_fastest_for_its_rows():
    for rows, name in ((1, "gemm"), (3, "gemm"), (4, "brg"), (64, "brg")):
        found = InnerProduct((rows, 800), 1, 500, False, True, F4, 0.0)._forward.implementation
        assert found.startswith(name) or "avx512" not in found


# -- plans without a gradient


@needs_onednn
def test_without_gradients_nothing_is_kept_for_them():
    shape = (4, 16, 8, 8)
    x = array(shape)
    usual, without = (Pool(shape, (4, 16, 4, 4), "max", (2, 2), (2, 2), (0, 0), False, F4, g) for g in (True, False))
    assert usual.work_space(Calls()).kept > 0
    assert without.work_space(Calls()).kept == 0
    results = [array((4, 16, 4, 4)) for _ in range(2)]
    for plan, y in zip((usual, without), results, strict=True):
        plan.forward(x, y)
    np.testing.assert_array_equal(*results)
    without = LRN(shape, "across", 5, 0.1, 0.75, 1.0, F4, gradients=False)
    assert without.work_space(Calls()).kept == 0
    want, y = array(shape), array(shape)
    lrn.LRN(shape, "across", 5, 0.1, 0.75, 1.0, F4).forward(x, want)
    without.forward(x, y)
    close(y, want)


@pytest.mark.parametrize("block", [1, 1 << 20])
def test_plain_plans_without_gradients(monkeypatch, block):
    monkeypatch.setattr(pool, "BLOCK_BYTES", block)
    shape = (3, 4, 6, 6)
    x = array(shape)
    for method in ("max", "ave"):
        plans = [pool.Pool(shape, (3, 4, 3, 3), method, (2, 2), (2, 2), (0, 0), False, F4, g) for g in (True, False)]
        results = [array((3, 4, 3, 3)) for _ in plans]
        for plan, y in zip(plans, results, strict=True):
            plan.forward(x, y)
        np.testing.assert_array_equal(*results)
    one_block = lrn.LRN(shape, "within", 3, 0.1, 0.75, 1.0, F4)
    monkeypatch.setattr(lrn, "BLOCK_BYTES", block)
    plans = [one_block, lrn.LRN(shape, "within", 3, 0.1, 0.75, 1.0, F4)]
    results = [array(shape) for _ in plans]
    for plan, y in zip(plans, results, strict=True):
        plan.forward(x, y)
    np.testing.assert_array_equal(*results)
    for plan, dx in zip(plans, results, strict=True):
        plan.backward(x, x, dx)
    np.testing.assert_array_equal(*results)
