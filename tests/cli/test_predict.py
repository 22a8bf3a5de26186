import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from arrays.emulated.no_card import NO_CARD
from netcli.arrays.ops import Ops
from netcli.arrays.resize import resize
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.prototxt import parse, schema
from netcli.snapshots import write_blob

DEPLOY = """
name: "tiny"
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: {channels} dim: 4 dim: 4 }} }} }}
layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param {{ num_output: 6 }} }}
layer {{ name: "prob" type: "Softmax" bottom: "ip" top: "prob" }}
"""
TRAIN = """
layer {{ name: "data" type: "Data" top: "data" include {{ phase: TRAIN }} transform_param {{ scale: 9 }} }}
layer {{
  name: "data" type: "Data" top: "data" include {{ phase: TEST }}
  transform_param {{ scale: 0.5 crop_size: 4 mirror: true {mean} }}
}}
layer {{ name: "silence" type: "Silence" bottom: "data" }}
"""


class Files:
    """A deploy net with random weights, and images of several sizes."""

    def __init__(self, folder, channels):
        self.folder = folder
        rng = np.random.default_rng(2)
        self.net = folder / "deploy.prototxt"
        self.net.write_text(DEPLOY.format(channels=channels))
        net = Net(parse(self.net.read_text(), schema.NetParameter), TEST, ops=Ops("plain"))
        self.w = rng.standard_normal((6, 16 * channels)).astype(np.float32) / 1000
        net.params["ip"][0].data[...] = self.w
        self.weights = folder / "w.caffemodel"
        net.save(str(self.weights))
        self.images, self.arrays = [], []
        for index, (height, width) in enumerate([(4, 4), (7, 5), (6, 6)]):
            pixels = rng.integers(0, 256, (height, width, 3) if channels == 3 else (height, width), np.uint8)
            self.images.append(folder / f"{index}.png")
            Image.fromarray(pixels).save(self.images[-1])
            self.arrays.append(pixels[..., ::-1].transpose(2, 0, 1) if channels == 3 else pixels[None])

    def scores(self, inputs):
        logits = np.asarray(inputs, np.float64).reshape(len(inputs), -1) @ self.w.T.astype(np.float64)
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path, 3)


def predicted(netcli, files, *options):
    status, out, err = netcli("predict", files.net, "--weights", files.weights, *files.images, *options, "--json")
    assert (status, err) == (0, "")
    results = json.loads(out)
    assert [r["image"] for r in results] == [str(path) for path in files.images]
    scores = np.zeros((len(results), 6))
    for row, result in zip(scores, results, strict=True):
        row[[c["class"] for c in result["classes"]]] = [c["score"] for c in result["classes"]]
    return scores


def test_images_are_resized_to_the_input(files, netcli):
    want = files.scores([resize(a, 4, 4) for a in files.arrays])
    np.testing.assert_allclose(predicted(netcli, files, "--top", 6), want, atol=1e-6)


def test_grey_nets_read_grey(tmp_path, netcli):
    files = Files(tmp_path, 1)
    want = files.scores([resize(a, 4, 4) / 256 for a in files.arrays])
    np.testing.assert_allclose(predicted(netcli, files, "--top", 6, "--scale", 1 / 256), want, atol=1e-6)


def test_mean_values_scale_and_crop(files, netcli):
    mean = np.array([1, 20, 30]).reshape(3, 1, 1)
    want = files.scores([(resize(a, 8, 8)[:, 2:6, 2:6] - mean) * 0.1 for a in files.arrays])
    options = ("--top", 6, "--mean-value", "1,20,30", "--scale", 0.1, "--resize", "8")
    np.testing.assert_allclose(predicted(netcli, files, *options), want, atol=1e-6)


def test_a_mean_file_sets_the_size_before_the_crop(files, netcli):
    mean = np.random.default_rng(3).uniform(0, 200, (3, 7, 9)).astype(np.float32)
    path = files.folder / "mean.binaryproto"
    write_blob(str(path), mean[None])
    want = files.scores([(resize(a, 7, 9) - mean)[:, 1:5, 2:6] for a in files.arrays])
    np.testing.assert_allclose(predicted(netcli, files, "--top", 6, "--mean-file", path), want, atol=1e-6)


def test_the_transform_of_the_training_net(files, netcli):
    train = files.folder / "train_val.prototxt"
    write_blob(str(files.folder / "mean.binaryproto"), np.full((1, 3, 6, 6), 7, np.float32))
    train.write_text(TRAIN.format(mean='mean_file: "mean.binaryproto"'))  # found beside the net
    want = files.scores([(resize(a, 6, 6)[:, 1:5, 1:5] - 7.0) * 0.5 for a in files.arrays])
    np.testing.assert_allclose(predicted(netcli, files, "--top", 6, "--transform", train), want, atol=1e-6)
    want = files.scores([(resize(a, 4, 4) - 5.0) * 0.5 for a in files.arrays])  # an option goes before it
    options = ("--top", 6, "--transform", train, "--mean-value", "5")
    np.testing.assert_allclose(predicted(netcli, files, *options), want, atol=1e-6)


def test_what_a_person_sees(files, netcli):
    labels = files.folder / "labels.txt"
    labels.write_text("zero\none\ntwo\nthree\nfour\nfive\n\n")
    status, out, _ = netcli(
        "predict", files.net, files.images[0], "--weights", files.weights, "--labels", labels, "--top", 2
    )
    (row,) = files.scores([resize(files.arrays[0], 4, 4)])
    best = np.argsort(-row)[:2]
    names = ["  zero", "  one", "  two", "  three", "  four", "  five"]
    assert status == 0
    assert out.splitlines() == [str(files.images[0]), *(f"  {row[i]:.4f}  {i}{names[i]}" for i in best)]


def test_a_reader_that_goes_away_is_no_fault(files):
    images = [files.images[0]] * 2000  # more lines than a pipe holds
    command = [sys.executable, "-m", "netcli", "predict", files.net, "--weights", files.weights, "--top", "6", *images]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), err) == (0, b"")


def test_wrong(files, netcli, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    train = tmp_path / "train.prototxt"
    train.write_text(TRAIN.format(mean=""))
    two = tmp_path / "two.prototxt"
    two.write_text(files.net.read_text().replace('top: "data"', 'top: "data" top: "im_info"', 1))
    flat = tmp_path / "flat.binaryproto"
    write_blob(str(flat), np.zeros((5,), np.float32))
    silent, summed = tmp_path / "silent.prototxt", tmp_path / "summed.prototxt"
    silent.write_text(files.net.read_text() + 'layer { name: "s" type: "Silence" bottom: "prob" }')
    summed.write_text(files.net.read_text() + 'layer { name: "s" type: "Reduction" bottom: "prob" top: "sum" }')
    few = tmp_path / "few.txt"
    few.write_text("zero\none\n")
    given = [files.net, "--weights", files.weights, files.images[0]]
    for arguments, message in [
        ([*given, "none.png"], "netcli: none.png can't be read: No such file or directory"),
        ([*given, tmp_path / "text.png"], f"netcli: {tmp_path}/text.png: not an image file"),
        (
            [two, *given[1:]],
            f"netcli: {two}: predict wants a net with one input of images (N, C, H, W), ",
        ),
        ([*given, "--transform", files.net], f"netcli: {files.net}: has no data layer with a transform_param"),
        ([*given, "--labels", "none.txt"], "netcli: none.txt: labels can't be read: No such file or directory"),
        ([*given, "--labels", few], f"netcli: {few}: has names for 2 classes, and the net tells 6 apart"),
        ([*given, "--mean-file", flat], f"netcli: {flat}: holds an array of 5; a mean image is CxHxW or 1xCxHxW"),
        ([*given, "--mean-value", "a"], "Error: Invalid value for --mean-value: 'a' is not a list of numbers"),
        ([*given, "--mean-value", "1,2"], "netcli: 2 mean_value for images of 3 channels; give one, or one for each"),
        ([*given, "--resize", "0x4"], "Error: Invalid value for --resize: '0x4' is not HxW, such as 256x256"),
        ([*given, "--resize", "3"], "netcli: crop_size 4 is larger than the image, 3x3x3"),
        ([*given, "--output", "fc8"], f"netcli: {files.net}: 'fc8' is no output of the net; there are 'prob'"),
        ([silent, *given[1:]], f"netcli: {silent}: the net has no output"),
        (
            [summed, *given[1:]],
            f"netcli: {summed}: predict wants scores for each of the 2 images of a batch, and output",
        ),
        ([*given, "--gpu", "0"], f"netcli: {NO_CARD}"),
    ]:
        status, _, err = netcli("predict", *arguments)
        assert status == 2
        assert err.splitlines()[-1].startswith(message)


def ten(x):
    h, w = x.shape[1] - 4, x.shape[2] - 4
    five = [x[:, y : y + 4, z : z + 4] for y, z in [(0, 0), (0, w), (h, 0), (h, w), (h // 2, w // 2)]]
    return [*five, *(crop[:, :, ::-1] for crop in five)]


def test_ten_crops_are_averaged(files, netcli):
    got = predicted(netcli, files, "--top", 6, "--ten-crop", "--resize", "6x7", "--mean-value", "1,2,3")
    mean = np.array([1, 2, 3]).reshape(3, 1, 1)
    want = [files.scores(ten(resize(a, 6, 7) - mean)).mean(axis=0) for a in files.arrays]
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_scales_are_averaged(files, netcli):
    got = predicted(netcli, files, "--top", 6, "--ten-crop", "--scales", "5,8")
    sizes = [[(5, 5), (8, 8)], [(7, 5), (11, 8)], [(5, 5), (8, 8)]]
    want = [
        np.mean([files.scores(ten(resize(a, *size))).mean(axis=0) for size in two], axis=0)
        for a, two in zip(files.arrays, sizes, strict=True)
    ]
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_whole_images_go_through_a_fully_convolutional_net(files, netcli):
    text = files.net.read_text().replace("InnerProduct", "Convolution")
    files.net.write_text(
        text.replace("inner_product_param { num_output: 6", "convolution_param { num_output: 6 kernel_size: 4")
    )
    net = Net(parse(files.net.read_text(), schema.NetParameter), TEST, ops=Ops("plain"))
    net.params["ip"][0].data[...] = files.w.reshape(6, 3, 4, 4)
    net.save(str(files.weights))
    got = predicted(netcli, files, "--top", 6, "--whole")
    want = []
    for a in files.arrays:
        places = [
            x[:, top : top + 4, left : left + 4]
            for x in (a, a[:, :, ::-1])
            for top in range(a.shape[1] - 3)
            for left in range(a.shape[2] - 3)
        ]
        want.append(files.scores(places).mean(axis=0))
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ten-crop"], "netcli: ten crops of 4x4 are cut out of larger images; --resize or --scales gives"),
        (["--ten-crop", "--whole"], "Error: --ten-crop and --whole exclude each other"),
        (["--scales", "0"], "Error: Invalid value for '--scales': '0' is not a list of lengths in pixels"),
        (["--scales", "3"], "netcli: crop_size 4 is larger than the image, 3x3x3"),
        (["--whole"], "InnerProduct): weights made for 48 items do not fit the 105 from axis 1 on"),
    ],
)
def test_wrong_views(files, netcli, options, message):
    status, _, err = netcli("predict", files.net, "--weights", files.weights, *files.images, *options)
    assert status == 2
    assert message in err
