"""Nets that netcli trained and saved, computed by OpenCV's dnn module from the same files.

OpenCV reads prototxts and caffemodels by code of its own, and computes by its own kernels: what agrees here was
neither written nor read in a way that only netcli knows.  Where OpenCV's numbers are not Caffe's, the tests at the end
show what it computes instead.
"""

import itertools
import re
from pathlib import Path

import numpy as np
import pytest

import netcli.cli.convert_images
import netcli.cli.train
import netcli.cli.upgrade
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.prototxt import read_net, to_text
from netcli.snapshots import read_weights

cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")
if not hasattr(cv2.dnn, "readNetFromCaffe"):
    pytest.skip(f"OpenCV {cv2.__version__} reads no Caffe nets any more (4.11 does)", allow_module_level=True)

DIGITS = Path(__file__).resolve().parents[2] / "data" / "digits"
TOLERANCE = 1e-4  # of the largest item of a blob, or of 1

TRAIN_DATA = """
layer {{ name: "data" type: "Data" top: "data" top: "label" {transform}
  data_param {{ source: "{db}" batch_size: 16 backend: LMDB }} }}
"""
DEPLOY_DATA = 'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 {dims} }} }} }}'
LOSS = """
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" include { phase: TRAIN } }
"""
PROB = 'layer { name: "prob" type: "Softmax" bottom: "score" top: "prob" }'
SOLVER = """
net: "{net}" type: "{type}" base_lr: {lr} lr_policy: "fixed" {momentum} weight_decay: 0.001
max_iter: {iterations} snapshot_prefix: "{prefix}" random_seed: 3
"""


def layer(name, kind, bottom, more="", top=None):
    bottoms = " ".join(f'bottom: "{b}"' for b in bottom.split())
    return f'layer {{ name: "{name}" type: "{kind}" {bottoms} top: "{top or name}" {more} }}\n'


def relu(name):
    return layer(f"{name}/relu", "ReLU", name, top=name)


def conv(name, bottom, outputs, kernel, more="", bias=True):
    weights = 'weight_filler { type: "msra" }' + ("" if bias else " bias_term: false")
    param = f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} {weights} {more} }}"
    return layer(name, "Convolution", bottom, param)


def pool(name, bottom, how, kernel, stride, pad=0):
    return layer(
        name, "Pooling", bottom, f"pooling_param {{ pool: {how} kernel_size: {kernel} stride: {stride} pad: {pad} }}"
    )


def inner(name, bottom, outputs):
    return layer(
        name,
        "InnerProduct",
        bottom,
        f'inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }}',
    )


def lenet():
    return (
        conv("conv1", "data", 20, 5)
        + pool("pool1", "conv1", "MAX", 2, 2)
        + conv("conv2", "pool1", 50, 5)
        + pool("pool2", "conv2", "MAX", 2, 2)
        + inner("ip1", "pool2", 100)
        + relu("ip1")
        + inner("score", "ip1", 10)
    )


def inception(name, bottom, outputs):
    """Four towers side by side: 1x1, 3x3 and 5x5 behind 1x1s, and a pool of overlapping windows."""
    text = ""
    for tower, source, kernel in (
        ("1x1", bottom, 1),
        ("3x3", f"{name}/3x3_reduce", 3),
        ("5x5", f"{name}/5x5_reduce", 5),
    ):
        if kernel > 1:
            text += conv(source, bottom, outputs // 2, 1) + relu(source)
        text += conv(f"{name}/{tower}", source, outputs, kernel, f"pad: {kernel // 2}") + relu(f"{name}/{tower}")
    text += pool(f"{name}/pool", bottom, "MAX", 3, 1, 1)
    text += conv(f"{name}/pool_proj", f"{name}/pool", outputs // 2, 1) + relu(f"{name}/pool_proj")
    return text + layer(f"{name}/output", "Concat", " ".join(f"{name}/{t}" for t in ("1x1", "3x3", "5x5", "pool_proj")))


def googlenet():
    """GoogLeNet's parts: LRN (of both kinds), inceptions, a second classifier in training, clipped windows."""
    second = pool("loss1/pool", "inception_a/output", "AVE", 5, 3) + inner("loss1/classifier", "loss1/pool", 10)
    second += layer("loss1/loss", "SoftmaxWithLoss", "loss1/classifier label", "loss_weight: 0.3", top="loss1/loss")
    second = second.replace(" }\n", " include { phase: TRAIN } }\n")
    return (
        conv("conv1/7x7_s2", "data", 16, 7, "stride: 2 pad: 3")
        + relu("conv1/7x7_s2")
        + pool("pool1/3x3_s2", "conv1/7x7_s2", "MAX", 3, 2)
        + layer("pool1/norm1", "LRN", "pool1/3x3_s2", "lrn_param { local_size: 5 alpha: 0.05 beta: 0.75 }")
        + inception("inception_a", "pool1/norm1", 8)
        + second
        + pool("pool2/3x3_s2", "inception_a/output", "MAX", 3, 2)
        + layer(
            "pool2/norm2", "LRN", "pool2/3x3_s2", "lrn_param { local_size: 3 alpha: 0.5 norm_region: WITHIN_CHANNEL }"
        )
        + inception("inception_b", "pool2/norm2", 12)
        + pool("pool3/3x3_s2", "inception_b/output", "AVE", 3, 2, 1)
        + pool("pool4/7x7_s1", "pool3/3x3_s2", "AVE", 4, 1)
        + layer("pool4/drop", "Dropout", "pool4/7x7_s1", "dropout_param { dropout_ratio: 0.4 }", top="pool4/7x7_s1")
        + inner("score", "pool4/7x7_s1", 10)
    )


def normed(name, bottom, outputs, kernel, more="", rectified=True):
    """A convolution, BatchNorm and Scale in place, as ResNet's."""
    return (
        conv(name, bottom, outputs, kernel, more, bias=False)
        + layer(f"{name}/bn", "BatchNorm", name, "batch_norm_param { moving_average_fraction: 0.9 }", top=name)
        + layer(f"{name}/scale", "Scale", name, "scale_param { bias_term: true }", top=name)
        + (relu(name) if rectified else "")
    )


def resnet():
    return (
        normed("conv1", "data", 8, 3, "pad: 1")
        + normed("res2/branch1", "conv1", 16, 1, "stride: 2", rectified=False)
        + normed("res2/branch2a", "conv1", 8, 3, "stride: 2 pad: 1")
        + normed("res2/branch2b", "res2/branch2a", 16, 3, "pad: 1", rectified=False)
        + layer("res2", "Eltwise", "res2/branch1 res2/branch2b")
        + relu("res2")
        + normed("res3/branch2a", "res2", 16, 3, "pad: 1 group: 2")
        + normed("res3/branch2b", "res3/branch2a", 16, 3, "pad: 2 dilation: 2", rectified=False)
        + layer("res3", "Eltwise", "res2 res3/branch2b", "eltwise_param { operation: SUM coeff: 1 coeff: 0.5 }")
        + relu("res3")
        + layer("pool", "Pooling", "res3", "pooling_param { pool: AVE global_pooling: true }")
        + inner("score", "pool", 10)
    )


NETS = {  # body, size, solver
    "lenet": (lenet, "dim: 1 dim: 28 dim: 28", {"type": "SGD", "lr": 0.01, "momentum": "momentum: 0.9"}),
    "googlenet": (googlenet, "dim: 3 dim: 56 dim: 56", {"type": "Adam", "lr": 0.002, "momentum": "momentum: 0.9"}),
    "resnet": (resnet, "dim: 3 dim: 23 dim: 23", {"type": "Nesterov", "lr": 0.02, "momentum": "momentum: 0.9"}),
}


class Trained:
    """A net that `netcli train` trained on the digits, by its files."""

    def __init__(self, name, folder):
        body, dims, rule = NETS[name]
        channels, size = int(dims.split()[1]), int(dims.split()[-1])
        db = folder / "db"
        gray = ["--gray"] if channels == 1 else []
        size_options = ["--resize-height", str(size), "--resize-width", str(size)]
        self.run(netcli.cli.convert_images, *gray, *size_options, f"{DIGITS}/", some_digits(folder), db)
        transform = "transform_param { scale: 0.0078125 mean_value: 128 }"
        self.train_val = folder / "train_val.prototxt"
        self.train_val.write_text(f'name: "{name}"' + TRAIN_DATA.format(db=db, transform=transform) + body() + LOSS)
        self.deploy = folder / "deploy.prototxt"
        deployed = "".join(line for line in body().splitlines(True) if "phase: TRAIN" not in line)
        self.deploy.write_text(f'name: "{name}"' + DEPLOY_DATA.format(dims=dims) + deployed + PROB)
        solver = folder / "solver.prototxt"
        solver.write_text(SOLVER.format(net=self.train_val, prefix=folder / name, iterations=12, **rule))
        self.run_dir = folder / "run"
        self.run(netcli.cli.train, "--quiet", "--run-dir", self.run_dir, solver)
        self.weights = folder / f"{name}_iter_12.caffemodel"

    @staticmethod
    def run(module, *arguments):
        module.command.main([str(argument) for argument in arguments], standalone_mode=False)


def some_digits(folder):
    path = folder / "list.txt"
    path.write_text("\n".join((DIGITS / "train.txt").read_text().splitlines()[:96]) + "\n")
    return path


@pytest.fixture(scope="module", params=NETS)
def trained(request, tmp_path_factory):
    return Trained(request.param, tmp_path_factory.mktemp(request.param))


def computed(prototxt, weights, images):
    """netcli's net with every blob of a pass over these images."""
    net = Net(read_net(str(prototxt)), TEST, keep_blobs=True)
    if weights is not None:
        net.load(read_weights(str(weights)))
    net.blobs["data"].reshape(images.shape)
    net.reshape()
    net.blobs["data"].data[...] = images
    net.forward()
    return net


def opencv(prototxt, weights, images):
    net = cv2.dnn.readNetFromCaffe(str(prototxt), str(weights))
    net.setInput(images)
    return net


def difference(a, b):
    assert a.shape == b.shape
    return np.abs(a - b).max() / max(1, np.abs(b).max())


def images_for(prototxt, count=3, seed=0):
    shape = read_net(str(prototxt)).message.layer[0].input_param.shape[0].dim
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape[1:])).astype(np.float32)


def test_every_blob_of_a_trained_net_is_opencv_s(trained):
    images = images_for(trained.deploy)
    ours = computed(trained.deploy, trained.weights, images)
    theirs = opencv(trained.deploy, trained.weights, images)
    assert difference(theirs.forward(), ours.blobs["prob"].data) <= TOLERANCE
    last_writers = {top: name for name, tops in zip(ours.layer_names, ours.top_names, strict=True) for top in tops}
    compared = 0
    for top, writer in last_writers.items():
        if writer in theirs.getLayerNames():  # all but the input and the copies that Split makes
            assert difference(theirs.forward(writer), ours.blobs[top].data) <= TOLERANCE, top
            compared += 1
    assert compared >= len(set(re.findall(r'top: "([^"]+)"', trained.deploy.read_text()))) - 1


def test_training_has_changed_what_is_compared(trained):
    """Else fresh statistics or weights that OpenCV ignores would agree all the same."""
    images = images_for(trained.deploy)
    fresh = computed(trained.deploy, None, images).blobs["score"].data
    assert difference(opencv(trained.deploy, trained.weights, images).forward("score"), fresh) > 0.1


def test_the_net_of_the_run_folder_is_read_by_opencv(trained, tmp_path):
    """As netcli writes it, but for the layers that read the database and the labels, which OpenCV does not compute."""
    written = trained.run_dir / "net.prototxt"
    assert set(cv2.dnn.readNetFromCaffe(str(written), str(trained.weights)).getLayerNames()) >= {"score", "loss"}
    net = read_net(str(written)).message
    labelled = [layer for layer in net.layer if "label" in (*layer.top, *layer.bottom)]
    for each in labelled:
        net.layer.remove(each)
    deploy = read_net(str(trained.deploy)).message
    path = tmp_path / "score.prototxt"
    path.write_text(to_text(type(net)(name=net.name, layer=[deploy.layer[0], *net.layer])))
    images = images_for(trained.deploy)
    ours = computed(trained.deploy, trained.weights, images).blobs["score"].data
    assert difference(opencv(path, trained.weights, images).forward("score"), ours) <= TOLERANCE


V1 = """
name: "old" input: "data" input_dim: 1 input_dim: 3 input_dim: 9 input_dim: 8
layers { name: "conv" type: CONVOLUTION bottom: "data" top: "conv" blobs_lr: 1 blobs_lr: 2
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "gaussian" std: 0.3 } } }
layers { name: "relu" type: RELU bottom: "conv" top: "conv" relu_param { negative_slope: 0.1 } }
layers { name: "score" type: INNER_PRODUCT bottom: "conv" top: "score"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
"""


def test_an_upgraded_net_and_the_old_one_are_the_same_to_opencv(tmp_path):
    old, new, weights = tmp_path / "old.prototxt", tmp_path / "new.prototxt", tmp_path / "old.caffemodel"
    old.write_text(V1)
    Trained.run(netcli.cli.upgrade, old, new)
    images = images_for(new)
    ours = computed(old, None, images)
    ours.save(str(weights))
    for path in (old, new):
        assert difference(opencv(path, weights, images).forward(), ours.blobs["score"].data) <= TOLERANCE


def test_half_precision_that_opencv_wrote_is_read(trained, tmp_path):
    """OpenCV's shrinkCaffeModel stores weights as NVCaffe does, in raw_data of 16 bits."""
    half = tmp_path / "half.caffemodel"
    cv2.dnn.shrinkCaffeModel(str(trained.weights), str(half))
    whole = {layer.name: layer.blobs for layer in read_weights(str(trained.weights)).layers}
    shrunk = {layer.name: layer.blobs for layer in read_weights(str(half)).layers}
    assert whole.keys() == shrunk.keys()
    halved = 0
    for name, blobs in whole.items():
        for blob, other in zip(blobs, shrunk[name], strict=True):
            rounded = blob.astype(np.float16).astype(np.float32)
            halved += np.array_equal(other, rounded) and not np.array_equal(other, blob)
            assert np.array_equal(other, rounded) or np.array_equal(other, blob)
    assert halved > 0
    images = images_for(trained.deploy)
    ours = computed(trained.deploy, half, images).blobs["prob"].data
    assert difference(opencv(trained.deploy, half, images).forward(), ours) <= TOLERANCE


def one_layer(folder, kind, more, shape, seed=0):
    """The files of a net of one layer `y` with weights at random; returns (images, netcli's net, OpenCV's y)."""
    prototxt, weights = folder / "one.prototxt", folder / "one.caffemodel"
    dims = " ".join(f"dim: {size}" for size in shape[1:])
    prototxt.write_text(DEPLOY_DATA.format(dims=dims) + layer("y", kind, "data", more))
    images = np.random.default_rng(seed).uniform(-2, 2, shape).astype(np.float32)
    ours = computed(prototxt, None, images)
    ours.save(str(weights))
    return images, ours, opencv(prototxt, weights, images).forward()


@pytest.mark.parametrize("how", ["MAX", "AVE"])
def test_every_window_of_pooling_is_opencv_s(how, tmp_path):
    """Rounded up, the last one dropped where it starts in the padding, averages over the padded area."""
    tried = 0
    for kernel, stride, pad, size in itertools.product((1, 2, 3), (1, 2, 3), (0, 1, 2), (4, 5, 7)):
        if pad < kernel and stride <= kernel:
            more = f"pooling_param {{ pool: {how} kernel_size: {kernel} stride: {stride} pad: {pad} }}"
            _, ours, theirs = one_layer(tmp_path, "Pooling", more, (1, 2, size, size + 2))
            assert difference(theirs, ours.blobs["y"].data) <= TOLERANCE, more
            tried += 1
    assert tried > 30


FILLERS = 'weight_filler { type: "gaussian" std: 0.3 } bias_filler { type: "gaussian" std: 0.3 }'
UNEVEN = f"num_output: 4 kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 {FILLERS}"


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("Deconvolution", f"convolution_param {{ num_output: 4 group: 2 kernel_size: 3 stride: 2 pad: 1 {FILLERS} }}"),
        ("Convolution", f"convolution_param {{ {UNEVEN} pad_h: 1 pad_w: 0 }}"),
        ("InnerProduct", f"inner_product_param {{ num_output: 5 axis: 2 {FILLERS} }}"),
        ("LRN", "lrn_param { local_size: 3 alpha: 2 beta: 0.5 }"),
        ("PReLU", 'prelu_param { filler { type: "gaussian" std: 0.3 } }'),
        ("ELU", "elu_param { alpha: 0.5 }"),
        ("BNLL", ""),
        ("Power", "power_param { power: 2 scale: 0.5 shift: 1 }"),
        ("Exp", "exp_param { base: 2 scale: 0.5 shift: 0.1 }"),
        ("MVN", "mvn_param { across_channels: true }"),
        ("Softmax", "softmax_param { axis: 2 }"),
        ("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 3 } }"),
    ],
    ids=lambda value: value.partition(" ")[0],
)
def test_other_layers_are_opencv_s(kind, more, tmp_path):
    _, ours, theirs = one_layer(tmp_path, kind, more, (2, 4, 6, 5))
    assert difference(theirs, ours.blobs["y"].data) <= TOLERANCE


# Where OpenCV's numbers are others, Caffe's formula and OpenCV's stand side by side; netcli's are Caffe's.


def test_opencv_ignores_k_of_lrn(tmp_path):
    x, ours, theirs = one_layer(tmp_path, "LRN", "lrn_param { local_size: 3 alpha: 2 beta: 0.5 k: 3 }", (2, 4, 3, 3))
    squares = np.stack([(x[:, max(0, c - 1) : c + 2] ** 2).sum(axis=1) for c in range(4)], axis=1)
    assert difference(ours.blobs["y"].data, x / np.sqrt(3 + 2 / 3 * squares)) <= TOLERANCE
    assert difference(theirs, x / np.sqrt(1 + 2 / 3 * squares)) <= TOLERANCE


def test_opencv_adds_eps_of_mvn_to_the_variance_and_caffe_to_the_deviation(tmp_path):
    x, ours, theirs = one_layer(tmp_path, "MVN", "mvn_param { eps: 0.5 }", (2, 3, 4, 4))
    centred, variance = x - x.mean(axis=(2, 3), keepdims=True), x.var(axis=(2, 3), keepdims=True)
    assert difference(ours.blobs["y"].data, centred / (np.sqrt(variance) + 0.5)) <= TOLERANCE
    assert difference(theirs, centred / np.sqrt(variance + 0.5)) <= TOLERANCE


def test_opencv_ignores_transpose_of_inner_product(tmp_path):
    more = f"inner_product_param {{ num_output: 6 transpose: true {FILLERS} }}"
    x, ours, theirs = one_layer(tmp_path, "InnerProduct", more, (2, 6))
    weights, bias = (blob.data for blob in ours.params["y"])
    assert difference(ours.blobs["y"].data, x @ weights + bias) <= TOLERANCE
    assert difference(theirs, x @ weights.T + bias) <= TOLERANCE


def test_opencv_ignores_pad_h_without_pad_w(tmp_path):
    _, ours, theirs = one_layer(tmp_path, "Convolution", f"convolution_param {{ {UNEVEN} pad_h: 1 }}", (2, 3, 6, 5))
    _, unpadded, _ = one_layer(tmp_path, "Convolution", f"convolution_param {{ {UNEVEN} }}", (2, 3, 6, 5))
    assert ours.blobs["y"].shape == (2, 4, 3, 4)
    assert difference(theirs, unpadded.blobs["y"].data) <= TOLERANCE


def test_windows_outside_the_image_hold_caffe_s_lowest_number_and_0_in_opencv(tmp_path):
    more = "pooling_param { pool: MAX kernel_size: 1 stride: 2 }"
    x, ours, theirs = one_layer(tmp_path, "Pooling", more, (1, 1, 4, 4))
    caffe = np.full((3, 3), np.finfo(np.float32).min, np.float32)
    caffe[:2, :2] = x[0, 0, ::2, ::2]
    np.testing.assert_array_equal(ours.blobs["y"].data[0, 0], caffe)
    np.testing.assert_array_equal(theirs[0, 0], np.where(caffe == np.finfo(np.float32).min, 0, caffe))
