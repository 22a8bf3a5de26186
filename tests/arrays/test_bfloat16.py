"""Products of bfloat16 operands: Note [bfloat16] in arrays/ops.py.

Of numbers that bfloat16 can hold the products are those of float32; so the checks of arrays/bodies hold as they are.
"""

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays.bodies import checks
from arrays.bodies.checks import bodies
from arrays.bodies.test_conv import CONVOLUTIONS, check_conv, convolutions
from arrays.bodies.test_inner_product import INNER_PRODUCTS, check_inner_product
from netcli.arrays.bodies import body_class
from netcli.arrays.onednn import descriptors, library, memory
from netcli.arrays.ops import Ops
from netcli.arrays.plain.bfloat16 import rounded
from netcli.arrays.unsupported import Unsupported
from netcli.errors import NetcliError


def has_bf16():
    with contextlib.suppress(Unsupported):
        descriptors.operands(True)
        return True
    return False


needs_bf16 = pytest.mark.skipif(not has_bf16(), reason="oneDNN or the processor has no bfloat16")


class Draws:
    """Numbers that bfloat16 holds."""

    def __init__(self, seed):
        self._rng = np.random.default_rng(seed)

    def standard_normal(self, shape):
        return rounded(self._rng.standard_normal(shape).astype("f4"))


class Arrays(checks.Arrays):
    options = {"bf16": True}  # noqa: RUF012

    def __init__(self):
        super().__init__("f4")
        self.rng = Draws(7)


@bodies("conv")
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_conv(body, name):
    check_conv(body, Arrays(), *CONVOLUTIONS[name])


@bodies("conv")
@settings(max_examples=25, deadline=None)
@given(case=convolutions())
def test_any_conv(body, case):
    with contextlib.suppress(pytest.skip.Exception):  # a body may decline some
        check_conv(body, Arrays(), *case)


@needs_bf16
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_images_narrower_than_the_stride_are_not_for_onednn(width):
    """With AMX the gradient of filters was of whatever scratch memory held; as wide as the stride it is right."""
    of = ((2, 2, width), 4, (3,), (3,), (1,), (1,), 2, False, np.float32)
    if width < 3:
        with pytest.raises(Unsupported, match="narrower than the stride, 3"):
            body_class("onednn.conv:Conv")(*of, bf16=True)
        return
    conv = body_class("onednn.conv:Conv")(*of, bf16=True)
    arrays, found = Arrays(), []
    x, dy = arrays.normal(2, 2, width), arrays.normal(*conv.y_shape)
    for fill in (0, 0x41, 0):
        dw = np.full((4, 1, 3), np.nan, np.float32)
        conv.backward_weights(x, dy, dw, None, False)
        found.append(dw)
        if memory.scratch().nbytes:
            memory.scratch()._array.fill(fill)
    np.testing.assert_array_equal(found[1], found[2])  # behind zeros, and behind others


@bodies("inner_product")
@pytest.mark.parametrize("case", INNER_PRODUCTS)
def test_inner_product(body, case):
    check_inner_product(body, Arrays(), *case)


@pytest.fixture(params=["plain", pytest.param("auto", marks=needs_bf16)])
def ops(request):
    return Ops(request.param, precision="bf16")


def results(plan, x, w, dy):
    y, dx, dw = np.zeros(plan.y_shape, "f4"), np.zeros_like(x), np.zeros_like(w)
    plan.forward(x, w, None, y)
    plan.backward_data(dy, w, dx)
    plan.backward_weights(x, dy, dw, None, False)
    return y, dx, dw


@pytest.mark.parametrize("op", ["conv", "inner_product"])
def test_operands_are_rounded_and_results_are_not(ops, op):
    if op == "conv":
        plan = ops.conv((2, 16, 9, 8), 32, (3, 3), (1, 1), (1, 1), (1, 1), 1, False)
        w_shape = (32, 16, 3, 3)
    else:
        plan = ops.inner_product((2, 16, 9, 8), 1, 32, False, False)
        w_shape = (32, 16 * 9 * 8)
    rng = np.random.default_rng(1)
    x, w, dy = (rng.standard_normal(s).astype("f4") for s in ((2, 16, 9, 8), w_shape, plan.y_shape))
    given = [each.copy() for each in results(plan, x, w, dy)]
    of_rounded = results(plan, *map(rounded, (x, w, dy)))
    for got, want in zip(given, of_rounded, strict=True):
        np.testing.assert_array_equal(got, want)
        assert (got != rounded(got)).mean() > 0.9


def test_an_epilogue_is_computed_in_float32(ops):
    """Of conv: affine, a sum, a ReLU."""
    rng = np.random.default_rng(2)
    x, w = (rounded(rng.standard_normal(s).astype("f4")) for s in ((2, 16, 6, 6), (16, 16, 3, 3)))
    s, t = (rng.standard_normal(16).astype("f4") for _ in range(2))
    window = ((3, 3), (1, 1), (1, 1), (1, 1))
    z = rng.standard_normal((2, 16, 6, 6)).astype("f4")
    y, want = np.zeros_like(z), np.zeros_like(z)
    ops.conv(x.shape, 16, *window, 1, False, relu=0.1, add=True, affine=True).forward(x, w, None, y, s, t, z)
    Ops("plain").conv(x.shape, 16, *window, 1, False).forward(x, w, None, want)
    want = want * s.reshape(-1, 1, 1) + t.reshape(-1, 1, 1) + z
    np.testing.assert_allclose(y, np.where(want > 0, want, 0.1 * want), rtol=1e-5, atol=1e-4)


def test_float64_stays_float64(ops):
    plan = ops.inner_product((2, 3), 1, 4, False, False, np.float64)
    x, w = np.full((2, 3), 1 + 2.0**-40), np.ones((4, 3))
    y = np.zeros((2, 4))
    plan.forward(x, w, None, y)
    assert y[0, 0] == 3 + 3 * 2.0**-40


@given(bits=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=50))
@settings(max_examples=200)
def test_rounding(bits):
    """To the nearest of the numbers with an empty lower half, to the even one of two."""
    x = np.array(bits, np.uint32).view(np.float32)
    got = rounded(x)
    for value, found in zip(x, got, strict=True):
        if np.isnan(value):
            assert np.isnan(found)
            continue
        upper = int(value.view(np.uint32)) >> 16
        near = [np.array([upper + step << 16], np.uint32).view(np.float32)[0] for step in (0, 1)]
        exact = [abs(float(value) - _beyond(each)) for each in near]
        nearest = upper + (exact[1] < exact[0] or (exact[0] == exact[1] and upper % 2 == 1))
        assert int(found.view(np.uint32)) == nearest << 16


def _beyond(value):
    """Infinity stands where the number after the largest would."""
    return float(np.copysign(2.0**128, value)) if np.isinf(value) else float(value)


def test_a_slower_processor_is_told(monkeypatch):
    if has_bf16():
        monkeypatch.setattr(library.library(), "isa", "AVX-512")
    with pytest.raises(NetcliError, match="precision bf16 would be slower than f32 here: "):
        Ops(precision="bf16")
    Ops("plain", precision="bf16")
