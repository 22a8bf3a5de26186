"""How oneDNN's bodies treat arrays: any order, binding, memory, threads."""

import gc
import os
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

from arrays.onednn_arrays import F4, array, close, needs_onednn, orders, parameter
from netcli.arrays.layout import count_of
from netcli.arrays.onednn.activation import Activation
from netcli.arrays.onednn.concat import Concat
from netcli.arrays.onednn.conv import Conv
from netcli.arrays.onednn.inner_product import InnerProduct
from netcli.arrays.onednn.pool import Pool
from netcli.arrays.onednn.sum import Sum


@needs_onednn
def test_arrays_in_any_order():
    x_shape, pad = (2, 5, 6, 7), (1, 1)
    plan = Conv(x_shape, 4, (3, 3), (1, 1), pad, (1, 1), 1, True, F4)
    x, w, b, dy = array(x_shape), parameter(4, 5, 3, 3), parameter(4), array(plan.y_shape, 1)
    y, dx, dw, db = array(plan.y_shape), array(x_shape), np.zeros_like(w), np.zeros_like(b)
    plan.forward(x, w, b, y)
    plan.backward_data(dy, w, dx)
    plan.backward_weights(x, dy, dw, db, False)
    for x_, w_, dy_, y_, dx_, dw_ in zip(*map(orders, (x, w, dy, y, dx, dw)), strict=True):
        for _ in range(2):  # bound anew, and bound already
            for out in (y_, dx_):
                out[...] = np.nan
            plan.forward(x_, w_, b, y_)
            plan.backward_data(dy_, w_, dx_)
            plan.backward_weights(x_, dy_, dw_, db, True)
            np.testing.assert_array_equal(y_, y)
            np.testing.assert_array_equal(dx_, dx)
        close(dw_, 3 * dw)


@needs_onednn
@pytest.mark.parametrize("index", range(6))
def test_in_place_in_any_order(index):
    shape = (3, 4, 5, 6)
    relu, tanh = Activation("relu", shape, 0.0, F4), Activation("tanh", shape, 0.0, F4)
    x = list(orders(array(shape)))[index]
    want = np.maximum(x, 0)
    relu.forward(x, x)
    np.testing.assert_array_equal(x, want)
    want = np.tanh(x)
    tanh.forward(x, x)
    close(x, want)


@needs_onednn
def test_other_arrays_are_looked_at():
    plan = Sum((2, 3), (1.0, 2.0), F4)
    first, second = [[array((2, 3), seed), array((2, 3), seed + 1)] for seed in (0, 5)]
    y = [array((2, 3)), array((2, 3))]
    for xs, out in ((first, y[0]), (second, y[1]), (first, y[1]), ([first[0], second[1]], y[0])):
        plan.forward(xs, out)
        close(out, xs[0] + 2 * xs[1])
    first[0] += 1  # the same array with other numbers
    plan.forward([first[0], second[1]], y[0])
    close(y[0], first[0] + 2 * second[1])


@needs_onednn
def test_arrays_that_do_not_fit_the_plan_are_refused():
    plan = Activation("tanh", (2, 3), 0.0, F4)
    x, fixed = array((2, 3)), array((2, 3))
    fixed.flags.writeable = False
    for y in (np.empty((3, 2), F4), np.empty((2, 3)), fixed):
        with pytest.raises(ValueError, match=r"\(2, 3\)"):
            plan.forward(x, y)
    plan.forward(fixed, x)


@needs_onednn
def test_gradients_that_are_not_wanted():
    x_shape = (2, 3, 5, 5)
    plan = Conv(x_shape, 4, (3, 3), (1, 1), (0, 0), (1, 1), 1, True, F4)
    x, dy, dw, db = array(x_shape), array(plan.y_shape), parameter(4, 3, 3, 3), parameter(4)
    plan.backward_weights(x, dy, dw, db, False)
    only_w, only_b = np.zeros_like(dw), np.zeros_like(db)
    plan.backward_weights(x, dy, only_w, None, False)
    plan.backward_weights(x, dy, None, only_b, False)
    np.testing.assert_array_equal(only_w, dw)
    np.testing.assert_array_equal(only_b, db)


@needs_onednn
def test_parts_that_are_not_wanted():
    plan = Concat(((2, 3, 4, 4), (2, 5, 4, 4)), 1, F4)
    dy, dx = array((2, 8, 4, 4)), array((2, 5, 4, 4))
    plan.backward(dy, [None, dx])
    np.testing.assert_array_equal(dx, dy[:, 3:])


@needs_onednn
def test_a_steady_state_takes_no_memory():
    shape = (4, 8, 12, 12)
    conv = Conv(shape, 8, (3, 3), (1, 1), (1, 1), (1, 1), 1, True, F4)
    relu, pool = Activation("relu", shape, 0.0, F4), Pool(shape, (4, 8, 6, 6), "max", (2, 2), (2, 2), (0, 0), False, F4)
    x, y, z, w, b = array(shape), array(shape), array((4, 8, 6, 6)), parameter(8, 8, 3, 3), parameter(8)
    dx, dw, db = array(shape), np.zeros_like(w), np.zeros_like(b)

    def iteration():
        conv.forward(x, w, b, y)
        relu.forward(y, y)
        pool.forward(y, z)
        pool.backward(z, dx)
        relu.backward(y, y, dx, dx)
        conv.backward_weights(x, dx, dw, db, True)
        conv.backward_data(dx, w, x)

    for _ in range(3):
        iteration()
    tracemalloc.start()
    try:
        iteration()
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        for _ in range(10):
            iteration()
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 1000  # bytes; one image has 4608
    assert peak - before < 2000


def resident():
    """Bytes of memory that the process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@needs_onednn
def test_reshapes_leave_nothing_behind():
    def reshaped(width):
        shape = (1, 4, 64, 60 + width)
        plan = Conv(shape, 8, (3, 3), (1, 1), (1, 1), (1, 1), 1, True, F4)
        x, y, w, b = array(shape), array(plan.y_shape), parameter(8, 4, 3, 3), parameter(8)
        plan.forward(x.copy(order="C"), w, b, y)
        plan.backward_data(y, w, x)
        plan.backward_weights(x, y, w, b, True)
        return weakref.ref(plan), weakref.ref(x)

    gc.disable()  # all of it goes with the last reference
    try:
        for turn in range(20):
            reshaped(turn % 4)
        before = resident()
        for turn in range(200):
            assert all(reference() is None for reference in reshaped(turn % 4))
        assert resident() - before < 8 << 20
    finally:
        gc.enable()


@needs_onednn
def test_the_same_bits_from_run_to_run():
    def run():
        x_shape = (8, 16, 14, 14)
        plan = Conv(x_shape, 32, (3, 3), (1, 1), (1, 1), (1, 1), 1, True, F4)
        x, y, w, b = array(x_shape), array(plan.y_shape), parameter(32, 16, 3, 3), parameter(32)
        product = InnerProduct(plan.y_shape, 1, 10, False, False, F4)
        v, z = parameter(10, count_of(plan.y_shape[1:])), array(product.y_shape)
        plan.forward(x, w, b, y)
        product.forward(y, v, None, z)
        plan.backward_weights(x, y, w, b, False)
        return [a.tobytes() for a in (y, z, w, b)]

    assert run() == run()


@needs_onednn
def test_a_plan_may_move_to_another_thread():
    x_shape = (2, 3, 9, 9)
    plan = Conv(x_shape, 4, (5, 5), (1, 1), (0, 0), (1, 1), 1, True, F4)
    x, w, b, y = array(x_shape), parameter(4, 3, 5, 5), parameter(4), array(plan.y_shape)
    plan.forward(x, w, b, y)
    here = y.copy()
    y.fill(0)
    thread = threading.Thread(target=plan.forward, args=(x, w, b, y))
    thread.start()
    thread.join()
    np.testing.assert_array_equal(y, here)
