import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from netcli.arrays import random
from netcli.augment.settings import COMPUTED
from netcli.augment.transform import Transform
from netcli.errors import NetcliError
from netcli.prototxt import schema


def transform(text="", *, train=False, mean=None, dtype=np.float32, seed=1):
    param = text_format.Parse(text, schema.TransformationParameter())
    return Transform(param, train=train, mean=mean, dtype=dtype, seed=seed, purpose="transform L")


def apply(made, image, epoch=0, index=0, dtype=np.float32):
    """The transformed image, in a channels-last array as the layers give."""
    channels, height, width = made.shape(image.shape)
    out = np.full((height, width, channels), np.nan, dtype).transpose(2, 0, 1)
    draws = made.draws(epoch, index, 1)
    made(image, None if draws is None else draws[0], out)
    return out


def reference(image, scale, crop, mean, top, left, mirrored):
    """Caffe's loops: (x - mean) * scale, the mean indexed where the crop is."""
    channels, height, width = image.shape
    size = crop or None
    out = np.zeros((channels, size or height, size or width), np.float32)
    for c in range(channels):
        for h in range(out.shape[1]):
            for w in range(out.shape[2]):
                x = np.float32(image[c, top + h, left + w])
                if mean is not None:
                    x -= np.float32(mean[c, top + h, left + w])
                out[c, h, out.shape[2] - 1 - w if mirrored else w] = x * np.float32(scale)
    return out


@settings(deadline=None)
@given(st.data())
def test_any_parameters_give_what_plain_loops_do(data):
    shape = data.draw(st.tuples(st.sampled_from([1, 3, 4]), st.integers(1, 6), st.integers(1, 6)))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    image = rng.integers(0, 256, shape, dtype=np.uint8)
    if data.draw(st.booleans(), "float"):
        image = image.astype(np.float32) / 3
    crop = data.draw(st.integers(0, min(shape[1:])))
    scale = data.draw(st.sampled_from([1.0, 0.00390625, 0.017]))
    mirror, train = data.draw(st.booleans()), data.draw(st.booleans())
    text = f"scale: {scale} crop_size: {crop} mirror: {str(mirror).lower()}"
    kind = data.draw(st.sampled_from(["none", "image", "one value", "values"]))
    mean = image_mean = None
    if kind == "image":
        image_mean = mean = (rng.random(shape) * 255).astype(np.float32)
    elif kind != "none":
        values = rng.random(1 if kind == "one value" else shape[0]).astype(np.float32) * 255
        text += "".join(f" mean_value: {value!r}" for value in values.tolist())
        mean = np.broadcast_to(values[:, None, None], shape)
    epoch, index = data.draw(st.integers(0, 3)), data.draw(st.integers(0, 5))
    made = transform(text, train=train, mean=image_mean)
    got = apply(made, image, epoch, index)
    words = random.words(1, "transform L", epoch, index, 1)[0]
    top, left = ((shape[1] - crop) // 2, (shape[2] - crop) // 2) if crop else (0, 0)
    if crop and train:
        top, left = random.below(words[0], shape[1] - crop + 1), random.below(words[1], shape[2] - crop + 1)
    mirrored = mirror and random.below(words[2], 2) == 1
    np.testing.assert_array_equal(got, reference(image, scale, crop, mean, int(top), int(left), mirrored))


def test_draws_do_not_depend_on_the_range_they_are_asked_for_in():
    made = transform("mirror: true")
    whole = made.draws(2, 0, 10)
    np.testing.assert_array_equal(whole[4:7], made.draws(2, 4, 3))
    assert not np.array_equal(whole, made.draws(3, 0, 10))
    assert transform("crop_size: 3", train=False).draws(0, 0, 5) is None  # none are needed


def test_a_random_crop_reaches_every_place_and_a_centred_one_the_middle():
    image = np.arange(5 * 4, dtype=np.uint8).reshape(1, 5, 4)
    corners = {int(apply(transform("crop_size: 3", train=True), image, 0, i)[0, 0, 0]) for i in range(200)}
    assert corners == {0, 1, 4, 5, 8, 9}
    assert {int(apply(transform("crop_size: 2"), image, 0, i)[0, 0, 0]) for i in range(20)} == {
        5
    }  # floors: row 1, column 1


@pytest.mark.parametrize("train", [True, False])
def test_half_the_images_are_mirrored_in_both_phases(train):
    image = np.array([[[1, 2]]], np.uint8)
    made = transform("mirror: true", train=train)
    share = np.mean([apply(made, image, 0, i)[0, 0, 0] == 2 for i in range(1000)])
    assert 0.45 < share < 0.55


def test_double_precision():
    image = np.full((1, 1, 1), 1, np.uint8)
    made = transform("mean_value: 0.1 scale: 3", dtype=np.float64)
    assert apply(made, image, dtype=np.float64).item() == (1 - float(np.float32(0.1))) * 3


def test_the_image_is_left_as_it_was():
    image = np.ones((3, 4, 4), np.uint8)
    image.flags.writeable = False
    apply(transform("mirror: true mean_value: 7 crop_size: 2 scale: 2", train=True), image)


@pytest.mark.parametrize(("text", "color"), [("", None), ("force_color: true", True), ("force_gray: true", False)])
def test_how_encoded_images_are_decoded(text, color):
    assert transform(text).color is color


ONE_SIZE = "the images are 3x6x8; they must be of one size"


@pytest.mark.parametrize(
    ("text", "mean", "sentence", "field"),
    [
        ("crop_size: 7", None, "crop_size 7 is larger than the image, 3x6x8", "crop_size"),
        (
            "mean_value: 1 mean_value: 2",
            None,
            "2 mean_value for images of 3 channels; give one, or one for each",
            "mean_value",
        ),
        ("", (3, 6, 7), f"the mean image is 3x6x7, {ONE_SIZE}", "mean_file"),
        ("crop_size: 4", (3, 4, 4), f"the mean image is 3x4x4, {ONE_SIZE}", "mean_file"),
        ("mean_file: 'm' mean_value: 1", (3, 6, 8), "mean_file and mean_value exclude each other", "mean_value"),
        ("force_color: true force_gray: true", None, "force_color and force_gray exclude each other", "force_gray"),
    ],
)
def test_what_does_not_fit(text, mean, sentence, field):
    with pytest.raises(NetcliError) as caught:
        transform(text, mean=None if mean is None else np.zeros(mean)).shape((3, 6, 8))
    assert caught.value.message == sentence
    assert caught.value.field == f"transform_param.{field}"


def test_fields_that_are_not_computed_yet_are_refused():
    known = set(schema.TransformationParameter.DESCRIPTOR.fields_by_name)
    assert known > COMPUTED
    for name in known - COMPUTED:
        param = schema.TransformationParameter()
        field = param.DESCRIPTOR.fields_by_name[name]
        if field.is_repeated or field.message_type:
            continue
        setattr(param, name, {field.CPPTYPE_STRING: "x", field.CPPTYPE_BOOL: True}.get(field.cpp_type, 1))
        with pytest.raises(NetcliError, match=f"transform_param.{name} is known but not computed yet"):
            Transform(param, train=True, purpose="")
