from pathlib import Path

import numpy as np
import pytest

from netcli.errors import NetcliError, ShapeError, SnapshotError
from netcli.pycaffe import Net, io
from netcli.pycaffe.classifier import Classifier
from pycaffe.image_nets import ImageNet

pytestmark = pytest.mark.usefixtures("device")

MEAN = np.array([10.0, 20, 30])


@pytest.fixture
def images():
    rng = np.random.default_rng(3)
    return [
        rng.random((height, width, 3)).astype(np.float32) for height, width in ((12, 11), (12, 11), (30, 9), (8, 8))
    ]


def as_input(crop):
    """RGB in 0..1 (H, W, 3) to what the net takes: BGR in 0..255 less the mean, halved."""
    return (crop[:, :, ::-1].transpose(2, 0, 1).astype(np.float64) * 255 - MEAN[:, None, None]) / 2


def ten(image):
    """Ten crops of 8x8 of an image of 12x11."""
    five = [image[:8, :8], image[:8, 3:], image[4:, :8], image[4:, 3:], image[2:10, 1:9]]
    return [*five, *(crop[:, ::-1] for crop in five)]


def classifier(files, **options):
    how = {"image_dims": (12, 11), "mean": MEAN, "input_scale": 0.5, "raw_scale": 255, "channel_swap": (2, 1, 0)}
    return Classifier(files.net, files.weights, **{**how, **options})


@pytest.mark.parametrize("batch", [1, 4, 10, 16])
def test_the_mean_of_ten_forwards(tmp_path, images, batch):
    files = ImageNet(tmp_path, batch=batch, spread=1e-3)
    found = classifier(files).predict(images)
    net = Net(files.net, 1, weights=files.weights)
    net.blobs["data"].reshape(1, 3, 8, 8)
    want = []
    for image in images:
        forwards = [
            net.forward(data=as_input(crop)[None])["prob"][0].copy() for crop in ten(io.resize_image(image, (12, 11)))
        ]
        want.append(np.mean(forwards, axis=0, dtype=np.float64))
    assert (found.shape, found.dtype) == ((4, 6), np.float32)
    np.testing.assert_allclose(found, want, atol=1e-6)
    assert np.ptp(found, axis=1).min() > 0.05  # the classes differ, so the crops matter


def test_the_centre_alone(tmp_path, images):
    files = ImageNet(tmp_path, spread=1e-3)
    want = files.scores([as_input(io.resize_image(image, (12, 11))[2:10, 1:9]) for image in images])
    np.testing.assert_allclose(classifier(files).predict(images, oversample=False), want, atol=1e-6)


def test_images_are_resized_to_the_input_where_no_size_is_given(tmp_path, images):
    files = ImageNet(tmp_path, batch=3, spread=1e-1)
    whole = [io.resize_image(image, (8, 8)).transpose(2, 0, 1) for image in images]
    for image_dims in (None, (), np.array([8, 8])):
        plain = Classifier(files.net, files.weights, image_dims)
        np.testing.assert_allclose(plain.predict(images, False), files.scores(whole), atol=1e-6)
    both = (files.scores(whole) + files.scores([image[:, :, ::-1] for image in whole])) / 2
    np.testing.assert_allclose(plain.predict(images), both, atol=1e-6)


def test_an_array_of_images_and_images_that_come_one_by_one(tmp_path, images):
    net = classifier(ImageNet(tmp_path, batch=2))
    want = net.predict(images[:2])
    np.testing.assert_array_equal(net.predict(np.stack(images[:2])), want)
    np.testing.assert_array_equal(net.predict(image for image in images[:2]), want)


def test_no_more_images_are_taken_than_a_batch_holds(tmp_path, images):
    taken = []

    def watched():
        for image in images:
            taken.append(image)
            yield image

    batches = classifier(ImageNet(tmp_path, batch=2)).predict_batches(watched(), oversample=False)
    assert next(batches).shape == (2, 6)
    assert len(taken) == 2
    assert [len(batch) for batch in batches] == [2]


def test_a_batch_and_settings_that_the_program_changes(tmp_path, images):
    files = ImageNet(tmp_path, spread=1e-3)
    net = Classifier(files.net, files.weights)
    net.blobs["data"].reshape(2, 3, 8, 8)
    net.transformer.set_raw_scale("data", 255)
    want = files.scores([io.resize_image(image, (8, 8)).transpose(2, 0, 1) * 255.0 for image in images])
    np.testing.assert_allclose(net.predict(images, oversample=False), want, atol=1e-6)


def test_grey_images(tmp_path):
    files = ImageNet(tmp_path, channels=1, spread=1e-1)
    image = np.random.default_rng(2).random((9, 10, 1))
    want = files.scores(image[:8, 1:9].transpose(2, 0, 1)[None])
    np.testing.assert_allclose(Classifier(files.net, files.weights, (9, 10)).predict([image], False), want, atol=1e-6)


def test_it_is_a_net(tmp_path):
    files = ImageNet(tmp_path)
    net = Classifier(files.net, files.weights)
    assert isinstance(net, Net)
    np.testing.assert_array_equal(net.params["ip"][0].data, files.w)
    assert (tuple(net.crop_dims), tuple(net.image_dims)) == ((8, 8), (8, 8))
    assert net.transformer.inputs == {"data": (4, 3, 8, 8)}
    assert Classifier(files.net, None).params["ip"][0].data.shape == files.w.shape  # without weights


def test_wrong(tmp_path):
    files = ImageNet(tmp_path)
    with pytest.raises(ValueError, match="the net's input, 8x8, does not fit into images of 8x7"):
        Classifier(files.net, files.weights, image_dims=(8, 7))
    with pytest.raises(ValueError, match="there are no images to classify"):
        Classifier(files.net, files.weights).predict([])
    with pytest.raises(ValueError, match="the mean has 2 channels, input 'data' 3"):
        Classifier(files.net, files.weights, mean=np.zeros(2))
    with pytest.raises(NetcliError, match="input 'data' has 3 channels, and the channel swap"):
        Classifier(files.net, files.weights, channel_swap=(1, 0))
    with pytest.raises(SnapshotError):
        Classifier(files.net, str(tmp_path / "none.caffemodel"))
    text = Path(files.net).read_text()
    Path(files.net).write_text(text.replace("dim: 8 dim: 8", "", 1))
    with pytest.raises(ShapeError, match=r"images go to an input \(N, C, H, W\), and 'data' is 4x3"):
        Classifier(files.net, None)
    Path(files.net).write_text('layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 1 } } }')
    with pytest.raises(ShapeError, match="the net has no input to put images in"):
        Classifier(files.net, None)
