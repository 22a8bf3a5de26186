import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arrays.emulated.no_card import NO_CARD
from netcli.pycaffe import io
from netcli.pycaffe.classifier import Classifier
from netcli.snapshots import write_blob
from pycaffe.image_nets import ImageNet

MEAN = np.array([10.0, 20, 30], np.float32)  # blue, green, red
DIMS = ("--images-dim", "12,11")
PYTHON = 'layer { name: "p" type: "Python" bottom: "prob" top: "q" python_param { module: "m" layer: "L" } }\n'


class Files(ImageNet):
    """A net, and a folder of images."""

    def __init__(self, folder, **options):
        super().__init__(folder, spread=1e-3, **options)
        self.folder, self.out = folder / "images", folder / "out.npy"
        self.folder.mkdir()
        rng = np.random.default_rng(2)
        self.images = [str(self.folder / name) for name in ("a.png", "b.png", "c.png", "d.png", "e.png")]
        for path, size in zip(self.images, ((12, 11), (9, 9), (20, 13), (12, 11), (8, 8)), strict=True):
            Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)

    def want(self, *images, oversample=True, **options):
        how = {"image_dims": (12, 11), "raw_scale": 255, "channel_swap": (2, 1, 0), **options}
        return Classifier(self.net, self.weights, **how).predict(images, oversample)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def classified(netcli, files, what, *options):
    status, out, err = netcli("classify", files.net, what, files.out, "--weights", files.weights, *options)
    assert (status, err) == (0, "")
    return np.load(files.out), out.splitlines()


def test_a_folder_by_ten_crops(files, netcli):
    (files.folder / "notes.txt").write_text("not asked for")
    found, lines = classified(netcli, files, files.folder, *DIMS, "--ext", "png", "--top", 2)
    want = files.want(*map(io.load_image, files.images))
    assert (found.dtype, found.shape) == (np.float32, (5, 6))
    np.testing.assert_array_equal(found, want)
    assert lines[::3] == [*files.images, f"{files.out}: 5x6"]
    best = np.argsort(-want[1])[:2]
    assert lines[4:6] == [f"  {want[1][i]:.4f}  {i}" for i in best]


def test_a_net_from_a_pipe(files, netcli):
    reading, writing = os.pipe()
    with open(writing, "w") as pipe:
        pipe.write(Path(files.net).read_text())
    status, _, err = netcli(
        "classify", f"/dev/fd/{reading}", files.images[0], files.out, "--weights", files.weights, *DIMS
    )
    assert (status, err) == (0, "")
    np.testing.assert_array_equal(np.load(files.out), files.want(io.load_image(files.images[0])))


def test_the_centre_of_an_image_by_arithmetic(files, netcli):
    pixels = np.asarray(Image.open(files.images[0]), np.float64)
    want = files.scores(pixels[2:10, 1:9, ::-1].transpose(2, 0, 1)[None])
    found, _ = classified(netcli, files, files.images[0], *DIMS, "--center-only")
    np.testing.assert_allclose(found, want, atol=1e-6)


def test_labels(files, netcli, tmp_path):
    labels = tmp_path / "labels.txt"
    labels.write_text("zero\none\ntwo\nthree\nfour\nfive\n")
    found, lines = classified(netcli, files, files.images[0], *DIMS, "--labels", labels)
    assert len(lines) == 1 + 5 + 1  # five classes, where nothing else is said
    best = int(found[0].argmax())
    assert lines[1] == f"  {found[0][best]:.4f}  {best}  {labels.read_text().split()[best]}"


def test_an_array_of_images(files, netcli, tmp_path):
    images = np.random.default_rng(3).random((3, 9, 14, 3))
    np.save(tmp_path / "in.npy", images)
    found, lines = classified(netcli, files, tmp_path / "in.npy", *DIMS, "--top", 1)
    np.testing.assert_array_equal(found, files.want(*images))
    assert lines[::2] == [*(f"{tmp_path}/in.npy[{index}]" for index in range(3)), f"{files.out}: 3x6"]


@pytest.mark.parametrize("form", ["values.npy", "image.npy", "image.binaryproto"])
def test_means(files, netcli, tmp_path, form):
    mean = MEAN if form == "values.npy" else np.random.default_rng(4).random((3, 8, 8)).astype(np.float32) * 255
    path = tmp_path / form
    np.save(path, mean) if form.endswith(".npy") else write_blob(str(path), mean[None])
    found, _ = classified(netcli, files, files.images[0], *DIMS, "--mean-file", path)
    np.testing.assert_array_equal(found, files.want(io.load_image(files.images[0]), mean=mean))


def test_scales_and_channels(files, netcli):
    image = io.load_image(files.images[0])
    options = ("--raw-scale", 100, "--input-scale", 0.5, "--channel-swap", "1,2,0")
    found, _ = classified(netcli, files, files.images[0], *DIMS, *options)
    np.testing.assert_array_equal(found, files.want(image, raw_scale=100, input_scale=0.5, channel_swap=(1, 2, 0)))
    found, _ = classified(netcli, files, files.images[0], *DIMS, "--channel-swap", "", "--mean", "")
    np.testing.assert_array_equal(found, files.want(image, channel_swap=None))


def test_images_are_256_wide_where_nothing_else_is_said(files, netcli):
    status, _, err = netcli("classify", files.net, files.images[0], files.out, "--weights", files.weights)
    assert status == 0
    assert err.startswith("warning: a crop of 8x8 is 0.098 % of an image of 256x256; --images-dim gives images another")
    found = np.load(files.out)
    np.testing.assert_array_equal(found, files.want(io.load_image(files.images[0]), image_dims=(256, 256)))


def test_grey_nets_read_grey(tmp_path, netcli):
    files = Files(tmp_path, channels=1)
    found, _ = classified(netcli, files, files.images[0], *DIMS, "--threads", 1)
    np.testing.assert_array_equal(found, files.want(io.load_image(files.images[0], False), channel_swap=None))


def test_a_name_without_npy_gets_it(files, netcli, tmp_path):
    status, out, _ = netcli(
        "classify", files.net, files.images[0], tmp_path / "scores", "--weights", files.weights, *DIMS, "--top", 0
    )
    assert (status, out) == (0, f"{tmp_path}/scores.npy: 1x6\n")
    assert np.load(tmp_path / "scores.npy").shape == (1, 6)


def test_python_layers_run_where_they_may(files, netcli, tmp_path, monkeypatch):
    with open(files.net, "a") as file:
        file.write(PYTHON)
    (tmp_path / "m.py").write_text(
        "class L:\n"
        "    def setup(self, bottom, top): pass\n"
        "    def reshape(self, bottom, top): top[0].reshape(*bottom[0].data.shape)\n"
        "    def forward(self, bottom, top): top[0].data[...] = bottom[0].data * 2\n"
        "    def backward(self, top, propagate_down, bottom): pass\n"
    )
    given = ("classify", files.net, files.images[0], files.out, "--weights", files.weights, *DIMS)
    status, _, err = netcli(*given)
    assert status == 2
    assert "the net wants to run the Python module 'm'; give --allow-python if you trust its code" in err
    assert not files.out.exists()
    assert netcli(*given, "--allow-python")[0] == 0
    np.testing.assert_allclose(np.load(files.out).sum(axis=1), [2], atol=1e-5)


def test_a_layer_without_weights_is_told(files, netcli, tmp_path):
    other = tmp_path / "other.prototxt"
    with open(files.net) as file:
        other.write_text(file.read().replace('"ip"', '"fc"'))
    status, _, err = netcli("classify", other, files.images[0], files.out, "--weights", files.weights, *DIMS)
    assert status == 0
    assert err == f"warning: {files.weights} has no weights for layer 'fc', which keeps its first values\n"


def test_wrong(files, netcli, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    flat, words, four = tmp_path / "flat.npy", tmp_path / "words.npy", tmp_path / "four.npy"
    np.save(flat, np.zeros(5))
    np.save(words, np.array(["a"]))
    np.save(four, np.zeros((2, 4, 4, 4)))
    (tmp_path / "text.npy").write_text("no array")
    two, silent = tmp_path / "two.prototxt", tmp_path / "silent.prototxt"
    with open(files.net) as file:
        text = file.read()
    two.write_text(text.replace('top: "data"', 'top: "data" top: "im_info"', 1))
    silent.write_text(text + 'layer { name: "s" type: "Silence" bottom: "prob" }')
    image, weights = files.images[0], ("--weights", files.weights)
    few = tmp_path / "few.txt"
    few.write_text("zero\none\n")
    given = [files.net, image, files.out, *weights, *DIMS]
    for arguments, message in [
        ([files.net, "none.jpg", *given[2:]], "netcli: none.jpg can't be read: No such file or directory"),
        ([files.net, tmp_path / "text.png", *given[2:]], f"netcli: {tmp_path}/text.png: not an image file"),
        (
            [files.net, files.folder, *given[2:]],
            f"netcli: {files.folder} has no files *.jpg; --ext names another ending",
        ),
        (
            [files.net, four, *given[2:]],
            f"netcli: {four}: holds an array of 2x4x4x4; the net wants images (N, H, W, 3)",
        ),
        ([files.net, "none.npy", *given[2:]], "netcli: none.npy: can't be read: No such file or directory"),
        ([files.net, words, *given[2:]], f"netcli: {words}: is not a .npy file of one array of numbers"),
        (
            [files.net, tmp_path / "text.npy", *given[2:]],
            f"netcli: {tmp_path}/text.npy: is not a .npy file of one array of numbers",
        ),
        (
            [*given[:2], tmp_path / "no" / "out.npy", *given[3:]],
            f"netcli: {tmp_path}/no/out.npy: can't be written: there is no folder {tmp_path}/no",
        ),
        (
            [*given, "--mean", flat],
            f"netcli: {flat}: holds an array of 5; a mean for 3 channels is 3, 3xHxW or 1x3xHxW",
        ),
        ([*given, "--mean", "none.npy"], "netcli: none.npy: there is no such mean file"),
        ([*given, "--channel-swap", "0,1"], "netcli: channel swap 0,1: the net's input has the channels 0 to 2, each"),
        ([*given, "--channel-swap", "b"], "Error: Invalid value for '--channel-swap': 'b' is not a list of channels"),
        ([*given[:-1], "7"], "Error: Invalid value for '--images-dim': '7' is not height,width, such as 256,256"),
        ([*given[:-1], "7,7"], "netcli: the net's input, 8x8, does not fit into images of 7x7"),
        ([*given, "--labels", "none.txt"], "netcli: none.txt: labels can't be read: No such file or directory"),
        ([*given, "--labels", few], f"netcli: {few}: has names for 2 classes, and the net tells 6 apart"),
        ([two, *given[1:]], f"netcli: {two}: classify wants a net with one input of images (N, C, H, W), "),
        ([silent, *given[1:]], f"netcli: {silent}: the net has no output"),
        ([*given, "--gpu", "0"], f"netcli: {NO_CARD}"),
        ([*given[:3], "--weights", "none", *DIMS], "netcli: none: there is no such"),
    ]:
        status, _, err = netcli("classify", *arguments)
        assert (status, err.splitlines()[-1][: len(message)]) == (2, message)
        assert not files.out.exists()


def test_image_files_for_a_net_of_other_channels(tmp_path, netcli):
    files = Files(tmp_path, channels=4)
    status, _, err = netcli("classify", files.net, files.images[0], files.out, "--weights", files.weights)
    assert status == 2
    assert err == "netcli: the net wants images of 4 channels, and image files are read as 1 or 3\n"
