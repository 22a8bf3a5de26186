"""Every body of `normalise` gives the formula's bits, wherever image and result lie."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays.bodies.checks import bodies, plan


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


@pytest.mark.parametrize("body", ["cuda.normalise:Normalise", "plain.normalise:Normalise"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("of", ["u1", "f2", "f4", "f8"])
def test_double_precision(body, dtype, of):
    body = plan(body, None, 0.1, dtype)
    y = np.zeros((1, 1, 1), dtype)
    body.forward(np.full((1, 1, 1), 3, of), 0, 0, False, np.array([1], dtype), y)
    assert y.item() == np.dtype(dtype).type(2) * np.dtype(dtype).type(0.1)


@bodies("normalise")
def test_an_image_of_a_batch_in_any_strides(body):
    x = np.arange(3 * 8 * 9, dtype=np.uint8).reshape(3, 8, 9)
    body = plan(body, None, 1.0, np.float32)
    in_pixels = np.zeros((2, 5, 6, 3), np.float32).transpose(0, 3, 1, 2)
    images_innermost = np.zeros((5, 3, 6, 2), np.float32).transpose(3, 1, 0, 2)
    for batch in (in_pixels, images_innermost):
        body.forward(x[:, ::-1], 2, 1, True, None, batch[1])
        np.testing.assert_array_equal(batch[1], x[:, ::-1][:, 2:7, 1:7][:, :, ::-1])
        assert not batch[0].any()


@bodies("normalise_batch")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_batch(body, data):
    """The bits of as many images one by one."""
    draw = data.draw
    images, channels = draw(st.integers(0, 5)), draw(st.sampled_from([1, 3, 4]))
    height, width = draw(st.integers(1, 7)), draw(st.integers(1, 400))
    rows, columns = draw(st.integers(1, height)), draw(st.integers(1, width))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    x = rng.integers(0, 256, (images, channels, height, width), dtype=np.uint8)
    if draw(st.booleans(), "records in pixels"):
        x = np.ascontiguousarray(x.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    dtype = np.dtype(draw(st.sampled_from(["f4", "f8"])))
    mean = (rng.random((channels, height, width)) * 255).astype(dtype) if draw(st.booleans(), "mean") else None
    less = draw(st.sampled_from([None, 1, channels]))
    less = None if less is None else (rng.random((images, less)) * 255).astype(dtype)
    top = rng.integers(0, height - rows + 1, images, np.int32)
    left = rng.integers(0, width - columns + 1, images, np.int32)
    mirrored = rng.integers(0, 2, images).astype(bool)
    scale = draw(st.sampled_from([1.0, 0.017]))
    y = np.full((images, rows, columns, channels), np.nan, dtype).transpose(0, 3, 1, 2)
    if draw(st.booleans(), "C order"):
        y = y.copy("C")
    plan(body, mean, scale, dtype).forward(x, top, left, mirrored, less, y)

    one, want = plan("plain.normalise:Normalise", mean, scale, dtype), np.empty(y.shape, dtype)
    for i in range(images):
        of_image = None if less is None else less[i]
        one.forward(x[i], top[i], left[i], mirrored[i], of_image, want[i])
    np.testing.assert_array_equal(y, want)


def test_a_batch_on_a_card_takes_windows_of_its_own_types():
    body = plan("cuda.normalise:NormaliseBatch", None, 1.0, np.float32)
    x, y = np.zeros((2, 3, 4, 5), np.uint8), np.zeros((2, 3, 4, 5), np.float32)
    top, left, mirrored = np.zeros(2, "i4"), np.zeros(2, "i4"), np.zeros(2, "?")
    body.forward(x, top, left, mirrored, None, y)
    for wrong in ((top.astype("i8"), left, mirrored), (top, left[:1], mirrored), (top, left, top)):
        with pytest.raises(ValueError, match=r"planned for .* \(2,\), got"):
            body.forward(x, *wrong, None, y)
