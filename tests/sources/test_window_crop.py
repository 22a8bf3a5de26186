from pathlib import Path

import numpy as np
import pytest

from databases import make_images
from netcli.errors import DataError
from netcli.sources.window_crop import WindowCrop

# What BVLC Caffe's WindowData (OpenCV 4.6) made of windows on one image: crop_size 13, no mean, plain and mirrored.
CAFFE = np.load(Path(__file__).with_name("caffe_windows.npz"))


def crop(size=13, context_pad=0, square=False, mean=None, scale=1.0, dtype=np.float32):
    return WindowCrop(size, context_pad, square, mean, scale, dtype)


@pytest.mark.parametrize("number", range(len(CAFFE["boxes"])))
def test_pixels_are_caffe_s(number):
    cut = crop(context_pad=int(CAFFE["pads"][number]), square=bool(CAFFE["square"][number]))
    box = tuple(CAFFE["boxes"][number].tolist())
    for mirrored in (False, True):
        wanted = CAFFE["plain_and_mirrored"][number, int(mirrored)]
        np.testing.assert_array_equal(cut(CAFFE["image"], box, mirrored), wanted)


def test_a_window_of_the_result_s_size_is_taken_as_it_is():
    (image,) = make_images(1, (3, 20, 30))
    np.testing.assert_array_equal(crop(8)(image, (3, 5, 10, 12), False), image[:, 5:13, 3:11])
    np.testing.assert_array_equal(crop(8)(image, (3, 5, 10, 12), True), image[:, 5:13, 10:2:-1])


def test_the_surroundings_show_and_what_lies_beyond_the_image_is_empty():
    (image,) = make_images(1, (3, 20, 30))
    # A window of 4x4 in a result of 8 with 2 pixels around it: one pixel for each, and C's rounding takes one more.
    cut = crop(9, context_pad=2, square=True)
    inside = cut.region((10, 10, 14, 14), (20, 30), False)
    assert (inside.top, inside.left, inside.height, inside.width) == (0, 0, 9, 9)
    corner = cut.region((0, 0, 4, 4), (20, 30), False)
    assert (corner.x1, corner.y1) == (0, 0)
    assert (corner.top, corner.left) == (2, 2)
    result = cut(image, (0, 0, 4, 4), False)
    assert not result[:, :2].any()
    assert not result[:, :, :2].any()
    assert result[:, 2:, 2:].all(axis=0).any()
    mirrored = cut(image, (0, 0, 4, 4), True)
    np.testing.assert_array_equal(mirrored, result[:, :, ::-1])


def test_mean_and_scale_touch_only_what_shows_of_the_image():
    (image,) = make_images(1, (3, 20, 30))
    mean = np.random.default_rng(0).random((3, 9, 9)).astype(np.float32) * 255
    plain = crop(9, 2, True)(image, (0, 0, 4, 4), True)
    changed = crop(9, 2, True, mean, 0.5)(image, (0, 0, 4, 4), True)
    region = crop(9, 2, True).region((0, 0, 4, 4), (20, 30), True)
    rows, columns = slice(region.top, region.top + region.height), slice(region.left, region.left + region.width)
    wanted = np.zeros_like(plain)
    wanted[:, rows, columns] = (plain - mean)[:, rows, columns] / 2  # the mean isn't mirrored
    np.testing.assert_array_equal(changed, wanted)


def test_one_mean_for_each_channel():
    (image,) = make_images(1, (3, 20, 30))
    mean = np.array([104, 117, 123], np.float64).reshape(3, 1, 1)
    result = crop(8, mean=mean, dtype=np.float64)(image, (3, 5, 10, 12), False)
    assert result.dtype == np.float64
    np.testing.assert_array_equal(result, image[:, 5:13, 3:11] - mean)


def test_hardly_anything_of_the_image_shows():
    (image,) = make_images(1, (3, 20, 30))
    assert not crop(8, 1)(image, (29, 0, 2000, 19), False).any()


@pytest.mark.parametrize("box", [(-1, 0, 5, 5), (0, -1, 5, 5), (0, 0, 30, 5), (0, 0, 5, 20)])
def test_a_window_beyond_its_image_is_told_unless_its_surroundings_are_shown(box):
    (image,) = make_images(1, (3, 20, 30))
    with pytest.raises(DataError) as caught:
        crop()(image, box, False)
    assert str(caught.value) == (
        f"the window from {box[:2]} to {box[2:]} reaches beyond its image of 30 columns and 20 rows"
    )
    assert crop(square=True)(image, box, False).any()


@pytest.mark.parametrize("box", [(-9, 0, -1, 5), (0, -9, 5, -1), (30, 0, 35, 5), (0, 20, 5, 25)])
def test_a_window_outside_its_image_is_always_told(box):
    with pytest.raises(DataError, match="lies outside its image of 30 columns and 20 rows"):
        crop(context_pad=1)(make_images(1, (3, 20, 30))[0], box, False)


def test_many_windows_are_judged_at_once():
    boxes = np.array([[0, 0, 5, 5], [25, 0, 30, 5], [40, 0, 41, 5]]).T
    size = np.array([20, 20, 20]), np.array([30, 30, 30])
    assert crop().fits(tuple(boxes), size).tolist() == [True, False, False]
    assert crop(square=True).fits(tuple(boxes), size).tolist() == [True, True, False]
