"""Both bodies of `normalise` give the formula's bits, wherever image and result lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays.test_bodies import bodies, plan


@bodies("normalise")
@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_any_image(body, data):
    draw = data.draw
    channels, height, width = draw(st.sampled_from([1, 2, 3, 4])), draw(st.integers(1, 7)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    x = rng.integers(0, 256, (channels, height, width), dtype=np.uint8)
    if draw(st.booleans(), "float"):
        x = (x / 3).astype(np.float32)
    order = draw(st.sampled_from(["planes", "pixels", "neither"]))
    if order == "pixels":
        x = np.ascontiguousarray(x.transpose(1, 2, 0)).transpose(2, 0, 1)
    elif order == "neither":
        x = np.repeat(x, 2, axis=2)[:, :, ::2]
    x.flags.writeable = False
    rows, columns = draw(st.integers(1, height)), draw(st.integers(1, width))
    top, left = draw(st.integers(0, height - rows)), draw(st.integers(0, width - columns))
    mean = (rng.random(x.shape) * 255).astype(np.float32) if draw(st.booleans(), "mean") else None
    less = draw(st.sampled_from([None, 1, channels]))
    less = None if less is None else (rng.random(less) * 255).astype(np.float32)
    scale, mirrored = draw(st.sampled_from([1.0, 0.00390625, 0.017])), draw(st.booleans())
    shape = (rows, columns, channels)
    y = np.full(shape, np.nan, np.float32).transpose(2, 0, 1)
    if draw(st.booleans(), "C order"):
        y = y.copy("C")
    plan(body, mean, scale, np.float32).forward(x, top, left, mirrored, less, y)

    window = (slice(None), slice(top, top + rows), slice(left, left + columns))
    off = np.float32(0) if mean is None else mean[window]
    if less is not None:
        off = off + less.reshape(-1, 1, 1)
    want = (np.float32(x[window]) - off) * np.float32(scale)
    np.testing.assert_array_equal(y, want[:, :, ::-1] if mirrored else want)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_double_precision(dtype):
    body = plan("plain.normalise:Normalise", None, 0.1, dtype)
    y = np.zeros((1, 1, 1), dtype)
    body.forward(np.full((1, 1, 1), 3, np.uint8), 0, 0, False, np.array([1], dtype), y)
    assert y.item() == np.dtype(dtype).type(2) * np.dtype(dtype).type(0.1)
