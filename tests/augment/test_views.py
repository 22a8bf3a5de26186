import numpy as np
import pytest
from google.protobuf import text_format

from netcli.arrays.resize import resize
from netcli.augment.views import Viewer, Views, ten_crops
from netcli.errors import NetcliError
from netcli.prototxt import schema


def shown(image, views, text="", mean=None):
    """The views of an image, as arrays."""
    viewer = Viewer(text_format.Parse(text, schema.TransformationParameter()), views, mean)
    found = []
    for view in viewer(image):
        out = np.full(view.shape, np.nan, np.float32)
        view.fill(out)
        found.append(out)
    return found


@pytest.fixture
def image():
    return np.random.default_rng(3).integers(0, 256, (3, 9, 12), np.uint8)


def test_ten_crops_are_the_corners_and_the_middle_and_these_mirrored(image):
    x = (image.astype(np.float32) - 7) * np.float32(0.5)
    corners = [x[:, :4, :4], x[:, :4, 8:], x[:, 5:, :4], x[:, 5:, 8:], x[:, 2:6, 4:8]]
    want = [*corners, *(crop[:, :, ::-1] for crop in corners)]
    got = shown(image, Views(ten=True), "crop_size: 4 mean_value: 7 scale: 0.5 mirror: true")
    np.testing.assert_array_equal(got, want)


def test_a_mean_image_is_taken_off_where_the_crop_is(image):
    mean = np.random.default_rng(4).random(image.shape).astype(np.float32)
    got = shown(image, Views(ten=True), 'crop_size: 4 mean_file: "m"', mean)
    np.testing.assert_array_equal(got[6], (image - mean)[:, :4, 8:][:, :, ::-1])


def test_the_whole_and_its_mirror_image(image):
    np.testing.assert_array_equal(shown(image, Views(whole=True), "crop_size: 4"), [image, image[:, :, ::-1]])


def test_at_each_scale_the_short_side_is_brought_to_it(image):
    got = shown(image, Views(whole=True, scales=(6, 18)), "min_side: 50")
    assert [each.shape for each in got] == [(3, 6, 8)] * 2 + [(3, 18, 24)] * 2
    np.testing.assert_array_equal(got[0], resize(image, 6, 8))
    middles = shown(image, Views(scales=(6, 18)), "crop_size: 4")
    np.testing.assert_array_equal(middles[1], resize(image, 18, 24)[:, 7:11, 10:14])


def test_at_scales_a_mean_image_is_its_mean_of_each_channel(image, caplog):
    mean = np.stack([np.full((9, 12), level, np.float32) for level in (1, 2, 3)])
    (got,) = shown(image, Views(scales=(9,)), 'crop_size: 4 mean_file: "m"', mean)
    np.testing.assert_array_equal(got, image[:, 2:6, 4:8] - np.array([1, 2, 3], np.float32).reshape(3, 1, 1))
    assert "its mean of each channel is taken off" in caplog.text


def test_a_border_is_put_on_before_crops(image):
    got = shown(image, Views(ten=True), "crop_size: 9 pad: 2")
    assert not got[0][:, :2].any()
    np.testing.assert_array_equal(got[0][:, 2:, 2:], image[:, :7, :7])


def test_no_crop_is_the_same_as_another_of_a_large_image():
    assert len(set(ten_crops((8, 9), (3, 3)))) == 10


@pytest.mark.parametrize(
    ("text", "views", "message"),
    [
        ("", Views(ten=True), "10 crops need crop_size"),
        ("", Views(scales=(5,)), "the middle at short sides of 5 need crop_size"),
        ("crop_size: 10", Views(ten=True), "crop_size 10 is larger than the image, 3x9x12"),
    ],
)
def test_wrong(image, text, views, message):
    with pytest.raises(NetcliError, match=message):
        shown(image, views, text)


def test_floats_are_not_brought_to_scales(image):
    with pytest.raises(NetcliError, match="images of bytes are brought to scales, not of float32"):
        shown(image.astype(np.float32), Views(scales=(5,)), "crop_size: 4")
