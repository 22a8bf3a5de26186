"""Erased rectangles and JPEG artefacts."""

import numpy as np
import pytest

from augment.test_steps import noise
from augment.test_transform import apply, transform
from netcli.errors import NetcliError


def test_what_is_erased_is_a_rectangle_within_the_bounds():
    image = np.zeros((3, 40, 50), np.uint8)
    made = transform("erase_ratio: 0.5 scale_min: 0.1 scale_max: 0.3 aspect_min: 0.5 aspect_max: 2", train=True)
    erased = 0
    for index in range(200):
        mask = apply(made, image, 0, index).any(axis=0)  # a byte in 256 of each channel is 0
        if not mask.any():
            continue
        erased += 1
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].mean() > 0.99
        assert 0.09 < height * width / 2000 < 0.32
        assert 0.4 < height / width < 2.3
    assert 75 < erased < 125
    assert not image.any()


def test_erased_pixels_are_noise_of_every_level():
    made = transform("erase_ratio: 1 scale_min: 0.3 scale_max: 0.3 aspect_min: 1 aspect_max: 1", train=True)
    image = np.full((3, 100, 100), 7, np.uint8)
    found = apply(made, image, 0, 1)
    values = found[found != 7]
    assert len(np.unique(values)) == 255
    assert abs(values.mean() - 127.5) < 3
    assert not np.array_equal(apply(made, image, 1, 1), found)


def test_jpeg_s_quality_is_its_loss():
    image = noise(3, 32, 40) // 8 + np.arange(40, dtype=np.uint8)  # noise over a slope
    loss = [
        np.abs(
            apply(transform(f"jpeg_param {{ min_quality: {q} max_quality: {q} }}", train=True), image) - image
        ).mean()
        for q in (5, 50, 100)
    ]
    assert loss[0] > loss[1] > loss[2] > 0
    assert loss[0] < 30  # the channels stay where they are


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_keeps_flat_colours(channels):
    image = np.broadcast_to(np.array([200, 90, 30], np.uint8)[:channels, None, None], (channels, 17, 9))
    got = apply(transform("jpeg_param { min_quality: 95 }", train=True), image)
    assert np.abs(got - image).max() <= 3


def test_the_image_may_be_of_any_strides_and_is_not_written_to():
    whole = noise(3, 30, 30)
    before = whole.copy()
    text = "crop_size: 20 vertical_mirror: true jpeg_param { max_quality: 40 } erase_ratio: 1"
    apply(transform(text, train=True), whole)
    np.testing.assert_array_equal(whole, before)


def test_half_the_images_are_upside_down():
    image = noise(3, 8, 9)
    made = transform("vertical_mirror: true", train=True)
    found = [apply(made, image, 0, i) for i in range(200)]
    turned = [np.array_equal(each, image[:, ::-1]) for each in found]
    assert all(t or np.array_equal(each, image) for t, each in zip(turned, found, strict=True))
    assert 70 < sum(turned) < 130


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("erase_ratio: 1.5", "erase_ratio 1.5 must be in 0 .. 1"),
        ("erase_ratio: 1 scale_min: 0.5", "scale_min 0.5 must be at least 0 and at most scale_max 0.4"),
        ("erase_ratio: 1 aspect_min: 0", "aspect_min 0 must be at least 0.001 and at most aspect_max 3"),
        ("jpeg_param { min_quality: 0 }", "min_quality 0 must be at least 1 and at most max_quality 100"),
        ("jpeg_param { max_quality: 20 }", "min_quality 30 must be at least 1 and at most max_quality 20"),
        ("jpeg_param { prob: -1 }", "prob -1 must be in 0 .. 1"),
    ],
)
def test_what_is_refused(text, sentence):
    with pytest.raises(NetcliError) as caught:
        transform(text, train=True)
    assert str(caught.value).startswith(sentence)


def test_jpeg_of_other_channels_is_refused():
    with pytest.raises(NetcliError, match="jpeg_param is for images of 1 or 3 channels, not of 2"):
        transform("jpeg_param { }", train=True).shape((2, 8, 8))
