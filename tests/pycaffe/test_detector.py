import sys
import types

import numpy as np
import pytest
from PIL import Image

from netcli.errors import DataError, NetcliError
from netcli.pycaffe import Net, io
from netcli.pycaffe.detector import Detector
from pycaffe.image_nets import ImageNet

pytestmark = pytest.mark.usefixtures("device")

SIZE = 12
WINDOWS = [(2, 3, 17, 12), (0, 0, 20, 24), (10, 1, 20, 8), (0, 18, 6, 24), (5, 5, 6, 6)]
MEAN = np.array([10.0, 20, 30])  # blue, green, red
HOW = {"mean": MEAN, "raw_scale": 255, "channel_swap": (2, 1, 0)}


@pytest.fixture
def files(tmp_path):
    return ImageNet(tmp_path, batch=2, size=SIZE, spread=1e-3)


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.random.default_rng(4).integers(0, 256, (20, 24, 3), np.uint8)).save(path)
    return str(path)


def as_input(crop):
    """RGB in 0..1 (H, W, 3) to BGR in 0..255 less the mean."""
    return crop[:, :, ::-1].transpose(2, 0, 1).astype(np.float64) * 255 - MEAN[:, None, None]


def with_context(image, window, pad):
    """The window (ymin, xmin, ymax, xmax) and what is around it, side by side; the mean beyond the image."""
    out = np.empty((SIZE, SIZE, 3))
    out[:] = MEAN[::-1] / 255
    places = []
    for axis in (0, 1):
        low, high = window[axis], window[axis + 2]
        half = (high - low + 1) / 2
        grown = half * SIZE / (SIZE - 2 * pad)
        start, stop = round(low + half - grown), round(low + half + grown)
        ratio = SIZE / (stop - start + 1)
        before = round(max(0, -start) * ratio)
        start, stop = max(0, start), min(image.shape[axis], stop)
        shown = min(round((stop - start + 1) * ratio), SIZE - before)
        places.append((start, stop, before, shown))
    (y0, y1, top, height), (x0, x1, left, width) = places
    out[top : top + height, left : left + width] = io.resize_image(image[y0:y1, x0:x1], (height, width))
    return out


def test_windows_are_stretched_to_the_input(files, image):
    found = Detector(files.net, files.weights, **HOW).detect_windows([(image, WINDOWS)])
    pixels = io.load_image(image)
    crops = [io.resize_image(pixels[y0:y1, x0:x1], (SIZE, SIZE)) for y0, x0, y1, x1 in WINDOWS]
    assert [(d["filename"], d["window"]) for d in found] == [(image, window) for window in WINDOWS]
    want = files.scores([as_input(crop) for crop in crops])
    np.testing.assert_allclose([d["prediction"] for d in found], want, atol=1e-6)
    assert np.ptp(want, axis=0).max() > 0.05  # the windows differ


@pytest.mark.parametrize("pad", [1, 3])
def test_context_around_windows_is_the_mean_beyond_the_image(files, image, pad):
    found = Detector(files.net, files.weights, **HOW, context_pad=pad).detect_windows([(image, np.array(WINDOWS))])
    pixels = io.load_image(image)
    want = files.scores([as_input(with_context(pixels, window, pad)) for window in WINDOWS])
    np.testing.assert_allclose([d["prediction"] for d in found], want, atol=1e-5)


def test_what_lies_beyond_the_image_is_nothing_to_the_net(files):
    mean = np.random.default_rng(6).random((3, SIZE, SIZE)) * 255
    detector = Detector(files.net, files.weights, mean=mean, raw_scale=255, channel_swap=(2, 1, 0), context_pad=3)
    crop = detector.crop(np.ones((20, 24, 3), np.float32), (0, 0, 20, 20))
    given = detector.transformer.preprocess("data", crop)
    assert crop.shape == (SIZE, SIZE, 3)
    np.testing.assert_allclose(given[:, :3], 0, atol=1e-4)
    np.testing.assert_allclose(given[:, 3:-3, 3:-3], 255 - mean[:, 3:-3, 3:-3], atol=1e-4)


def test_a_mean_of_one_channel_and_no_mean(files):
    image = np.ones((20, 24, 3), np.float32)
    grey = Detector(files.net, files.weights, np.full((1, SIZE, SIZE), 51), None, 255, (2, 1, 0), 3)
    np.testing.assert_allclose(grey.crop(image, (0, 0, 20, 20))[0, 0], [0.2] * 3)
    plain = Detector(files.net, files.weights, context_pad=3)
    np.testing.assert_array_equal(plain.crop(image, (0, 0, 20, 20))[0, 0], [0] * 3)
    plain.configure_crop(None)
    assert plain.crop(image, (0, 0, 20, 20)).shape == (20, 20, 3)


def test_windows_are_cut_at_the_border(files):
    image = np.arange(20 * 24.0).reshape(20, 24, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(Detector(files.net, None).crop(image, (-3, 20, 4, 99)), image[:4, 20:])


def test_images_in_their_order_and_windows_of_any_kind(files, image):
    detector = Detector(files.net, files.weights)
    found = detector.detect_windows(
        iter([(image, WINDOWS[:2]), (image, []), (image, iter(np.array(WINDOWS[2:], float)))])
    )
    want = detector.detect_windows([(image, WINDOWS)])
    np.testing.assert_array_equal([d["prediction"] for d in found], [d["prediction"] for d in want])
    assert detector.detect_windows([]) == []


def test_it_is_a_net(files):
    detector = Detector(files.net, files.weights)
    assert isinstance(detector, Net)
    assert (tuple(detector.crop_dims), detector.context_pad) == ((SIZE, SIZE, 3), None)


def test_selective_search_is_the_users_module(files, image, monkeypatch):
    asked = []

    def get_windows(names, cmd):
        asked.append((names, cmd))
        return [np.array(WINDOWS)]

    module = types.SimpleNamespace(get_windows=get_windows)
    monkeypatch.setitem(sys.modules, "selective_search_ijcv_with_python", module)
    monkeypatch.chdir(image.removesuffix("/a.png"))
    detector = Detector(files.net, files.weights)
    found = detector.detect_selective_search(["a.png"])
    assert asked == [([image], "selective_search_rcnn")]
    want = detector.detect_windows([(image, WINDOWS)])
    np.testing.assert_array_equal([d["prediction"] for d in found], [d["prediction"] for d in want])
    assert [d["filename"] for d in found] == [image] * len(WINDOWS)


def test_wrong(files, image, monkeypatch):
    with pytest.raises(ValueError, match="a context of 6 pixels on each side leaves no window in 12x12"):
        Detector(files.net, files.weights, context_pad=6)
    for pad in (None, 2):
        detector = Detector(files.net, files.weights, context_pad=pad)
        with pytest.raises(
            DataError, match=r"a.png: the window 90, 1, 97, 5 \(ymin, xmin, ymax, xmax\) shows nothing of 20x24 pixels"
        ):
            detector.detect_windows([(image, [*WINDOWS, (90, 1, 97, 5)])])
    with pytest.raises(OSError, match=r"none\.png can't be read"):
        detector.detect_windows([("none.png", WINDOWS)])
    monkeypatch.setitem(sys.modules, "selective_search_ijcv_with_python", None)
    with pytest.raises(
        NetcliError, match="need the module selective_search_ijcv_with_python on PYTHONPATH, from https://"
    ):
        detector.detect_selective_search([image])
