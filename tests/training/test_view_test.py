import numpy as np
import pytest

from databases import make_lmdb
from netcli.arrays.ops import Ops
from netcli.augment.views import Views
from netcli.errors import NetcliError
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.prototxt import parse, schema
from netcli.snapshots import read_weights
from netcli.training.choices import Choice
from netcli.training.scores import score
from netcli.training.view_test import ViewTest

RECORDS, BATCH, CROP = 5, 2, 5  # no multiple of a batch
DATA = """
layer {{
  name: "data" type: "Data" top: "data" top: "label"
  transform_param {{ {transform} }}
  data_param {{ source: "{db}" batch_size: 2 backend: LMDB }}
}}
"""
SCORES = """
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "Convolution" bottom: "conv" top: "fc"
  convolution_param { num_output: 3 kernel_size: 3 weight_filler { type: "gaussian" std: 0.01 } } }
"""
MEASURES = """
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" loss_weight: 2 }
layer { name: "top1" type: "Accuracy" bottom: "fc" bottom: "label" top: "top1" }
layer { name: "top2" type: "Accuracy" bottom: "fc" bottom: "label" top: "top2" accuracy_param { top_k: 2 } }
"""
INPUT = """
layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: 3 dim: {0} dim: {1} }} }} }}
"""
PROB = 'layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }'


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 256, (3, 7, 8), np.uint8) for _ in range(RECORDS)]
    labels = rng.integers(0, 3, RECORDS).tolist()
    make_lmdb(tmp_path / "db", images, labels)
    weights = tmp_path / "w.caffemodel"
    net = Net(parse(INPUT.format(CROP, CROP) + SCORES, schema.NetParameter), TEST, ops=Ops("plain"), seed=3)
    net.save(str(weights))
    return tmp_path, images, labels, str(weights)


def opened(files, views, text=SCORES + MEASURES, transform=f"crop_size: {CROP} mean_value: 100 scale: 0.02"):
    folder, *_, weights = files
    document = parse(DATA.format(db=folder / "db", transform=transform) + text, schema.NetParameter, "net.prototxt")
    test = ViewTest(Choice(document, "", None, TEST, None, ()), views, ops=Ops())
    test.load([weights])
    return test


def alone(weights, x):
    """The classes' probabilities of one array by a forward pass of its own, averaged over places."""
    net = Net(parse(INPUT.format(*x.shape[1:]) + SCORES + PROB, schema.NetParameter), TEST, ops=Ops("plain"))
    net.load(read_weights(weights))
    net.blobs["data"].data[0] = (x.astype(np.float64) - 100) * 0.02
    net.forward()
    return net.blobs["prob"].data[0].astype(np.float64).mean(axis=(1, 2))


def crops(x):
    h, w = x.shape[1] - CROP, x.shape[2] - CROP
    five = [x[:, y : y + CROP, z : z + CROP] for y, z in [(0, 0), (0, w), (h, 0), (h, w), (h // 2, w // 2)]]
    return [*five, *(crop[:, :, ::-1] for crop in five)]


VIEWS = {
    "ten": (Views(ten=True), crops),
    "whole": (Views(whole=True), lambda x: [x, x[:, :, ::-1]]),
}


@pytest.mark.parametrize("name", VIEWS)
def test_measures_are_of_the_mean_of_single_forwards(files, name):
    views, cut = VIEWS[name]
    _, images, labels, weights = files
    p = np.array([np.mean([alone(weights, crop) for crop in cut(image)], axis=0) for image in images])
    order = [i % RECORDS for i in range(3 * BATCH)]
    of_label = np.array([p[i, labels[i]] for i in order])
    rank = np.array([(p[i] >= p[i, labels[i]]).sum() for i in order])
    test = opened(files, views)
    found = score(test, 3)
    test.close()
    assert [(output.name, output.weight) for output in found.outputs] == [("loss", 2), ("top1", 0), ("top2", 0)]
    loss, top1, top2 = (output.value for output in found.outputs)
    assert loss == pytest.approx(-np.log(of_label).mean(), abs=1e-6)
    assert found.loss == pytest.approx(2 * loss)
    assert (top1, top2) == (pytest.approx((rank <= 1).mean()), pytest.approx((rank <= 2).mean()))
    assert found.records == 6


def test_the_averaged_probabilities_are_those_of_ten_forwards(files):
    _, images, _, weights = files
    test = opened(files, Views(ten=True))
    p = test._scores(images, test._viewer)["fc"]
    test.close()
    want = [np.mean([alone(weights, crop) for crop in crops(image)], axis=0) for image in images]
    np.testing.assert_allclose(p, want, rtol=0, atol=1e-6)


def test_probabilities_that_are_measured_are_averaged_as_they_are(files):
    measures = """
    layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }
    layer { name: "loss" type: "MultinomialLogisticLoss" bottom: "prob" bottom: "label" top: "loss" }
    layer { name: "top1" type: "Accuracy" bottom: "prob" bottom: "label" top: "top1" }
    """
    losses = []
    for text in (measures, MEASURES):
        test = opened(files, Views(ten=True), SCORES + text)
        losses.append([output.value for output in score(test, 2).outputs][:2])
        test.close()
    np.testing.assert_allclose(*losses, rtol=1e-6)


def test_scales_average_over_the_crops_of_each(files):
    images = files[1]
    both, one, two = (opened(files, Views(scales=scales)) for scales in [(7, 9), (7,), (9,)])
    p = [test._scores(images, test._viewer)["fc"] for test in (both, one, two)]
    np.testing.assert_allclose(p[0], (p[1] + p[2]) / 2, rtol=1e-6)  # batches of another size
    for test in (both, one, two):
        test.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SCORES, "no layer of the net measures scores by labels"),
        (
            SCORES + 'layer { name: "l" type: "HingeLoss" bottom: "fc" bottom: "label" top: "l" }',
            r"net.prototxt:\d+: layer 'l' \(HingeLoss\): measures something else than probabilities of classes",
        ),
        (
            SCORES + 'layer { name: "l" type: "CenterLoss" bottom: "fc" bottom: "label" top: "l" }',
            r"net.prototxt:\d+: layer 'l' \(CenterLoss\): layer type 'CenterLoss' is from",
        ),
        (
            SCORES + MEASURES + 'layer { name: "r" type: "ReLU" bottom: "fc" top: "fc" }',
            r"layer 'r' \(ReLU\): writes over 'fc' when it was measured",
        ),
        (
            SCORES + MEASURES + 'layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: 1 } } }',
            r"the data come from: 'data' \(Data\), 'd' \(DummyData\)",
        ),
    ],
)
def test_nets_that_have_no_mean_to_take_are_told(files, text, message):
    with pytest.raises(NetcliError, match=message):
        opened(files, Views(ten=True), text)


def test_data_without_a_crop_are_told(files):
    with pytest.raises(NetcliError, match=r"net.prototxt:4: layer 'data' \(Data\): 10 crops need crop_size"):
        opened(files, Views(ten=True), transform="")
