from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcli.arrays.resize import resize, resize_by_numpy

# Images and what cv2.resize (opencv-python-headless 5.0, INTER_LINEAR) made of them, as (C, H, W).
OPENCV = np.load(Path(__file__).with_name("opencv_resize.npz"))


@pytest.mark.parametrize("number", range(len(OPENCV.files) // 2))
def test_pixels_are_opencv_s(number):
    image, wanted = OPENCV[f"image{number}"], OPENCV[f"resized{number}"]
    np.testing.assert_array_equal(resize(image, *wanted.shape[1:]), wanted)


def bilinear(image, height, width):
    """Each pixel from its four neighbours, in float64."""
    out = np.zeros((len(image), height, width))
    for y in range(height):
        for x in range(width):
            v = (y + 0.5) * image.shape[1] / height - 0.5
            u = (x + 0.5) * image.shape[2] / width - 0.5
            for i, a in ((int(np.floor(v)), 1 - v % 1), (int(np.floor(v)) + 1, v % 1)):
                for j, b in ((int(np.floor(u)), 1 - u % 1), (int(np.floor(u)) + 1, u % 1)):
                    row, column = min(max(i, 0), image.shape[1] - 1), min(max(j, 0), image.shape[2] - 1)
                    out[:, y, x] += a * b * image[:, row, column]
    return out


sizes = st.integers(1, 12)


@given(st.sampled_from([1, 3]), sizes, sizes, sizes, sizes, st.integers(0, 2**32))
def test_any_size_is_bilinear_within_a_level(channels, height, width, new_height, new_width, seed):
    image = np.random.default_rng(seed).integers(0, 256, (channels, height, width), dtype=np.uint8)
    got = resize(image, new_height, new_width)
    assert got.dtype == np.uint8
    assert np.abs(got - bilinear(image, new_height, new_width)).max() <= 1


def test_the_same_size_is_the_image_itself():
    image = np.zeros((3, 4, 5), np.uint8)
    assert resize(image, 4, 5) is image


@given(st.sampled_from([1, 3, 4]), sizes, sizes, sizes, sizes, st.booleans(), st.integers(0, 2**32))
def test_the_compiled_kernel_gives_the_definition_s_bits(channels, height, width, new_height, new_width, planes, seed):
    image = np.random.default_rng(seed).integers(0, 256, (channels, height, width), dtype=np.uint8)
    image.flags.writeable = False
    given = image if planes else np.ascontiguousarray(image.transpose(1, 2, 0)).transpose(2, 0, 1)
    np.testing.assert_array_equal(resize(given, new_height, new_width), resize_by_numpy(image, new_height, new_width))


def test_any_strides():
    image = np.random.default_rng(1).integers(0, 256, (3, 9, 8), dtype=np.uint8)
    for view in (image[::-1], image[:, 2:, 1:7], image[:, :, ::-1], image.transpose(0, 2, 1)):
        np.testing.assert_array_equal(resize(view, 5, 7), resize_by_numpy(view.copy(), 5, 7))
