"""Steps of a transform one by one: against plain references, without strength, at their bounds, in any thread."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays.test_resize import bilinear
from augment.test_transform import apply, transform
from netcli.arrays import pixels, random
from netcli.arrays.plain import pixels as plain_pixels
from netcli.arrays.resize import resize
from netcli.augment.draws import normals, order, uniform
from netcli.augment.warps import inverse_map
from netcli.errors import NetcliError


def noise(*shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


ALL = """
    random_aspect_ratio_param { min_area_ratio: 0.2 aspect_ratio_change: 0.75 } crop_size: 12 mirror: true
    affine_param { max_rotation: 20 max_shear: 5 min_scale: 0.8 max_scale: 1.2 max_translate: 0.1 fill: 128 }
    blur_param { prob: 0.5 max_sigma: 1 }
    color_jitter { brightness: 0.4 contrast: 0.4 saturation: 0.4 hue: 0.1 }
    distort_param { brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.5 contrast_lower: 0.5 contrast_upper: 1.5
      hue_prob: 0.5 hue_delta: 18 saturation_prob: 0.5 saturation_lower: 0.5 saturation_upper: 1.5
      random_order_prob: 0.2 }
    pca_jitter { } cutout_param { size: 4 count: 2 prob: 0.5 } mean_value: 100
"""


def test_the_same_in_any_thread_and_order():
    made = transform(ALL, train=True)
    images = [noise(3, 20 + i, 30, seed=i) for i in range(24)]
    alone = [apply(made, image, 2, i) for i, image in enumerate(images)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda i: apply(made, images[i], 2, i), reversed(range(24))))
    for one, other in zip(alone, reversed(together), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(apply(made, images[0], 3, 0), alone[0])


def test_one_step_s_draws_do_not_depend_on_the_others():
    image = noise(3, 16, 16)
    both = transform("color_jitter { hue: 0.2 } affine_param { max_rotation: 9 prob: 0 }", train=True)
    alone = transform("color_jitter { hue: 0.2 }", train=True)
    np.testing.assert_array_equal(apply(both, image, 1, 7), apply(alone, image, 1, 7))


def test_without_strength_the_image_stays():
    image = noise(3, 9, 8)
    text = """
        affine_param { } blur_param { max_sigma: 0 } color_jitter { } distort_param { }
        pca_jitter { std: 0 } cutout_param { size: 3 prob: 0 }
    """
    np.testing.assert_array_equal(apply(transform(text, train=True), image, 0, 3), image)


def test_testing_has_no_changes_and_takes_middles():
    image = noise(3, 40, 60)
    got = apply(transform(ALL.replace("mirror: true", "")), image)
    want = resize(image[:, :, 10:50], 12, 12).astype(np.float32) - 100
    np.testing.assert_array_equal(got, want)


# -- sizes


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 24), st.integers(0, 10**6), st.floats(0.05, 1))
def test_a_random_part_is_one_of_the_image(height, width, crop, index, area):
    made = transform(
        f"random_aspect_ratio_param {{ min_area_ratio: {area} aspect_ratio_change: 0.5 }} crop_size: {crop}", train=True
    )
    image = noise(3, height, width)
    assert apply(made, image, 0, index).shape == (3, crop, crop)
    text = made.describe(made.draws(0, index, 1)[0], image.shape)
    size, at = text.split(" resized")[0].removeprefix("part ").split(" at ")
    (h, w), (top, left) = (map(int, each.split(sep)) for each, sep in ((size, "x"), (at, ",")))
    assert 0 <= top <= height - h
    assert 0 <= left <= width - w
    window = resize(image[:, top : top + h, left : left + w].copy(), crop, crop)
    np.testing.assert_array_equal(apply(made, image, 0, index), window)
    assert np.abs(window - bilinear(image[:, top : top + h, left : left + w], crop, crop)).max() <= 1


def test_areas_and_shapes_are_spread_over_what_was_asked_for():
    made = transform(
        "random_aspect_ratio_param { min_area_ratio: 0.08 aspect_ratio_change: 0.75 } crop_size: 8", train=True
    )
    words = made.draws(0, 0, 3000)
    sizes = np.array(
        [list(map(int, made.describe(row, (3, 400, 400)).split()[1].split("x"))) for row in words], np.float64
    )
    areas, shapes = sizes.prod(1) / 400**2, sizes[:, 0] / sizes[:, 1]
    assert 0.079 < areas.min() < 0.1
    assert 0.9 < areas.max() <= 1
    assert 0.42 < areas.mean() < 0.54  # large ones of another shape do not fit
    assert 0.74 < shapes.min() < 0.77
    assert 1.30 < shapes.max() < 1.35


@pytest.mark.parametrize(
    ("text", "shape", "want"),
    [
        ("resize_param { height: 6 width: 9 }", (3, 20, 10), (3, 6, 9)),
        ("min_side: 8", (3, 20, 10), (3, 16, 8)),
        ("min_side: 8 crop_size: 8", (3, 10, 30), (3, 8, 8)),
        ("pad: 2", (3, 5, 6), (3, 9, 10)),
        ("pad: 2 crop_h: 7 crop_w: 3", (3, 5, 6), (3, 7, 3)),
        ("random_resize_param { min_size: 9 max_size: 20 } crop_size: 9", (3, 30, 40), (3, 9, 9)),
    ],
)
@pytest.mark.parametrize("train", [True, False])
def test_shapes(text, shape, want, train):
    made = transform(text, train=train)
    assert made.shape(shape) == want
    for index in range(5):
        assert apply(made, noise(*shape), 0, index).shape == want


def test_a_border_is_black_and_the_mean_is_taken_off_it_too():
    got = apply(transform("pad: 1 mean_value: 5"), np.full((1, 2, 2), 9, np.uint8))
    np.testing.assert_array_equal(got[0], [[-5] * 4, [-5, 4, 4, -5], [-5, 4, 4, -5], [-5] * 4])


def test_how_far_an_image_may_be_reduced():
    made = transform("random_resize_param { min_size: 100 max_size: 120 } crop_size: 90", train=True)
    words = made.draws(0, 0, 20)
    assert {made.need(row, 401, 600) for row in words} <= {(2, 201), (4, 101)}
    assert {made.need(row, 130, 600) for row in words} == {(1, 130)}
    assert transform("min_side: 9").need(None, 400, 600) == (1, 400)  # always the same pixels


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("crop_size: 9", True),
        ("crop_size: 9 mirror: true scale: 0.5 mean_value: 3", True),
        ("crop_h: 5 crop_w: 20 center_crop: true", True),
        ("crop_size: 9 affine_param { max_rotation: 30 max_translate: 0.3 } blur_param { max_sigma: 2 }", True),
        ("crop_size: 9 color_jitter { brightness: 0.4 } cutout_param { size: 3 } erase_ratio: 0.5", True),
        ("random_aspect_ratio_param { min_area_ratio: 0.1 aspect_ratio_change: 0.5 } crop_size: 9", True),
        ("random_aspect_ratio_param { resize_param { height: 12 width: 14 interp_mode: CUBIC } } crop_size: 9", True),
        ("crop_size: 9 pad: 2", False),
        ("crop_size: 9 min_side: 12", False),
        ("random_resize_param { min_size: 9 max_size: 20 } crop_size: 9", False),
        ("crop_size: 50", False),
        ("mirror: true", False),
    ],
)
def test_rows_that_are_not_needed_are_not_looked_at(text, least, train):
    made = transform(text, train=train)
    image, saved = noise(3, 30, 40), 0
    for index in range(40):
        draws = made.draws(0, index, 1)
        times, rows = made.need(None if draws is None else draws[0], 30, 40)
        assert 1 <= rows <= -(-30 // times)
        if times > 1 or text == "crop_size: 50":
            continue
        saved += 30 - rows
        without = image.copy()
        without[:, rows:] = 0
        np.testing.assert_array_equal(apply(made, without, 0, index), apply(made, image, 0, index))
    # In testing the middle of the shape wanted is as high as the image.
    assert (saved > 0) == (least and (train or "aspect" not in text))


def test_the_rows_of_a_crop_from_the_mean_s_place():
    mean = noise(3, 30, 40).astype(np.float32)
    made = transform("crop_size: 9 color_jitter { contrast: 0.4 }", train=True, mean=mean)
    image = noise(3, 30, 40)
    for index in range(20):
        _, rows = made.need(made.draws(0, index, 1)[0], 30, 40)
        without = image.copy()
        without[:, rows:] = 255
        np.testing.assert_array_equal(apply(made, without, 0, index), apply(made, image, 0, index))


# -- colours and warps, against their definitions


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("linear", (1.3, -20.0)),
        ("linear", (0.0, 300.0)),
        ("saturate", (0.0,)),
        ("saturate", (1.7,)),
        ("turn_hue", (0.13,)),
        ("turn_hue", (-0.5,)),
        ("warp", (inverse_map(20, 5, 1.1, 2, -3, 17, 23), (1, 2, 3))),
        ("warp", (inverse_map(0, 0, 1e-3, 0, 0, 17, 23), (9, 9, 9))),
        ("blur", (0.0,)),
        ("blur", (1.6,)),
    ],
)
def test_kernels_and_definitions_agree_within_a_level(monkeypatch, name, arguments):
    image = noise(3, 17, 23)
    image[:, :4] = image[0, :4]  # greys
    function = getattr(pixels, name)
    got = function(image, *arguments)
    monkeypatch.setattr(pixels, "_run", lambda name: getattr(plain_pixels, name))
    want = function(image, *arguments)
    assert np.abs(got.astype(int) - want).max() <= 1
    assert (got != want).mean() < 0.05


def test_turning_the_hue():
    """A third of the circle takes each pure colour to the next; greys have none."""
    colours = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [77, 77, 77]], np.uint8).T.reshape(3, 1, 4)  # B, G, R
    got = pixels.turn_hue(colours, 1 / 3)
    np.testing.assert_array_equal(got[:, 0].T, [[0, 0, 255], [255, 0, 0], [0, 255, 0], [77, 77, 77]])
    image = noise(3, 8, 8)
    there = pixels.turn_hue(pixels.turn_hue(image, 0.2), -0.2)
    assert np.abs(there.astype(int) - image).max() <= 2
    np.testing.assert_array_equal(pixels.turn_hue(image, 0.3).max(0), image.max(0))


def test_no_saturation_is_grey():
    image = noise(3, 8, 8)
    got = pixels.saturate(image, 0)
    assert (got[0] == got[1]).all()
    assert (got[0] == got[2]).all()
    np.testing.assert_allclose(got[0], np.tensordot([0.114, 0.587, 0.299], image, 1), atol=0.51)


def test_a_quarter_turn_moves_every_pixel_to_its_place():
    image = noise(3, 9, 9)
    got = pixels.warp(image, inverse_map(90, 0, 1, 0, 0, 9, 9), (0, 0, 0))
    np.testing.assert_array_equal(got, np.rot90(image, -1, (1, 2)))  # clockwise on the screen


def test_a_shift_shows_what_is_beyond_the_edge():
    image = noise(3, 5, 5)
    got = pixels.warp(image, inverse_map(0, 0, 1, 2, 0, 5, 5), (7, 8, 9))
    np.testing.assert_array_equal(got[:, :, 2:], image[:, :, :3])
    np.testing.assert_array_equal(got[:, 0, 0], [7, 8, 9])


@pytest.mark.parametrize("fill", [[], [7], [7, 8, 9]])
@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_beyond_the_edge_has_one_level_or_one_for_each_channel(channels, fill):
    levels = (fill or [0])[:channels]
    text = "affine_param { min_scale: 0.1 max_scale: 0.1 " + " ".join(f"fill: {level}" for level in levels) + "}"
    got = apply(transform(text, train=True), np.full((channels, 20, 20), 200, np.uint8), 0, 0)
    np.testing.assert_array_equal(got[:, 0, 0], np.broadcast_to(levels, channels))
    np.testing.assert_array_equal(got[:, 10, 10], 200)


def test_a_blur_keeps_the_mean_and_spreads_a_point_by_its_width():
    image = np.zeros((1, 41, 41), np.uint8)
    image[0, 17:24, 17:24] = 255
    got = pixels.blur(image, 2.0).astype(np.float64)[0]
    assert abs(got.sum() - image.sum()) < 0.02 * image.sum()
    places = np.arange(41) - 20
    spread = (got.sum(0) * places**2).sum() / got.sum()
    np.testing.assert_allclose(spread, 4 + 4, atol=0.3)  # of the square, (7**2 - 1) / 12, and of the blur


def test_what_is_cut_out():
    made = transform("cutout_param { size: 4 } mean_value: 3", train=True)
    image = np.full((3, 10, 10), 200, np.uint8)
    for index in range(30):
        got = apply(made, image, 0, index)
        gone = got[0] == 0
        assert 4 <= gone.sum() <= 16  # a part may lie outside
        assert (got[:, gone] == 0).all()
        assert (got[:, ~gone] == 197).all()


# -- draws


def test_numbers_from_words():
    words = random.words(1, "x", 0, 0, 4000)
    drawn = np.array([normals(row[0], row[1]) for row in words])
    np.testing.assert_allclose(np.cov(drawn.T), np.eye(2), atol=0.06)
    assert all(-2 <= uniform(row[0], -2, 5) < 5 for row in words)
    counts = {}
    for row in words:
        counts[tuple(order(row[2], 3))] = counts.get(tuple(order(row[2], 3)), 0) + 1
    assert len(counts) == 6
    assert min(counts.values()) > 550


@pytest.mark.parametrize("mode", ["NEAREST", "AREA", "CUBIC", "LINEAR"])
def test_resized_in_the_way_that_interp_mode_says(mode):
    image = noise(3, 20, 20)
    want = resize(image, 8, 8, interpolation=mode.lower())
    for text in (
        "resize_param { height: 8 width: 8 interp_mode: %s }",
        "random_resize_param { min_size: 8 max_size: 8 resize_param { interp_mode: %s } } crop_size: 8",
        "random_aspect_ratio_param { min_area_ratio: 1 resize_param { height: 8 width: 8 interp_mode: %s } }",
    ):
        np.testing.assert_array_equal(apply(transform(text % mode, train=True), image, 0, 3), want)


def test_of_several_interp_modes_one_is_drawn_and_the_first_is_that_of_testing():
    image = noise(3, 20, 20)
    text = "resize_param { height: 8 width: 8 interp_mode: NEAREST interp_mode: CUBIC interp_mode: AREA }"
    ways = [resize(image, 8, 8, interpolation=name) for name in ("nearest", "cubic", "area")]
    made = transform(text, train=True)
    counts = [0, 0, 0]
    for record in range(300):
        found = apply(made, image, 0, record)
        counts[[np.array_equal(found, way) for way in ways].index(True)] += 1
    assert min(counts) > 60
    for record in range(5):
        np.testing.assert_array_equal(apply(transform(text, train=False), image, 0, record), ways[0])


# -- faults


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("crop_h: 4", "crop_h 4 and crop_w 0 go together"),
        ("crop_size: 4 crop_h: 4 crop_w: 4", "crop_size and crop_h exclude each other"),
        ("resize_param { width: 3 }", "resize_param needs height and width, not 0 and 3"),
        (
            "resize_param { width: 3 height: 3 interp_mode: LANCZOS4 }",
            "interp_mode LANCZOS4: images are resized",
        ),
        ("random_resize_param { min_size: 5 max_size: 4 } crop_size: 3", "min_size 5 must be above 0 and at most"),
        ("random_aspect_ratio_param { }", "needs a size"),
        ("random_aspect_ratio_param { min_area_ratio: 2 } crop_size: 3", "areas from 2 to 1 are no fractions"),
        ("color_jitter { hue: 0.6 }", "hue 0.6 must be in 0 .. 0.5"),
        ("distort_param { contrast_prob: 1 contrast_lower: 2 contrast_upper: 1 }", "contrast_lower 2 must be"),
        ("affine_param { min_scale: 0 }", "min_scale 0 must be above 0"),
        ("affine_param { max_shear: 90 }", "max_shear 90 must be in"),
        ("blur_param { min_sigma: 3 }", "min_sigma 3 must be at least 0 and at most max_sigma 2"),
        ("cutout_param { size: 3 prob: 1.5 }", "prob 1.5 must be in 0 .. 1"),
        ("affine_param { max_translate: 1e30 }", "max_translate 1e\\+30 must be in 0 .. 1"),
        ("affine_param { max_rotation: nan }", "max_rotation nan must be in 0 .. 360"),
        ("blur_param { prob: -1 }", "prob -1 must be in 0 .. 1"),
        ("distort_param { hue_prob: 1 hue_delta: 200 }", "hue_delta 200 must be in 0 .. 180"),
        ("cutout_param { size: 3 count: 99 }", "count 99 must be in 1 .. 16"),
    ],
)
def test_what_can_t_be_computed(text, sentence):
    with pytest.raises(NetcliError, match=sentence):
        transform(text, train=True)


@pytest.mark.parametrize(
    ("text", "shape", "sentence"),
    [
        ("random_resize_param { min_size: 5 max_size: 7 }", (3, 9, 9), "random_resize_param needs crop_size"),
        ("random_resize_param { min_size: 5 max_size: 7 } crop_size: 6", (3, 9, 9), "crop_size 6 is larger"),
        ("affine_param { fill: 1 fill: 2 }", (3, 4, 4), "2 fill for images of 3 channels"),
        ("pad: 1 crop_h: 4 crop_w: 9", (3, 4, 4), "crop_size 4x9 is larger than the image, 3x6x6"),
    ],
)
def test_what_does_not_fit(text, shape, sentence):
    with pytest.raises(NetcliError, match=sentence):
        transform(text, train=True).shape(shape)


def test_steps_are_for_bytes():
    with pytest.raises(NetcliError, match="color_jitter is for images of bytes, not of float32"):
        transform("color_jitter { hue: 0.1 }", train=True).shape((3, 4, 4), np.dtype(np.float32))


def test_a_mean_image_is_of_one_size():
    """Else it would be looked at beyond its edge, where an image is the larger one."""
    text = 'mean_file: "mean" crop_size: 4 random_resize_param { min_size: 5 max_size: %d }'
    mean = np.zeros((3, 5, 5), np.float32)
    assert transform(text % 5, train=True, mean=mean).shape((3, 9, 9)) == (3, 4, 4)
    with pytest.raises(NetcliError, match="random_resize_param goes with mean_value: a mean_file is of one size"):
        transform(text % 7, train=True, mean=mean)
