"""The nets under models/: what they build to, and what the folders hold."""

import tarfile
from pathlib import Path

import pytest

from netcli.arrays.ops import Ops
from netcli.layers.base import TEST, TRAIN
from netcli.net import Net
from netcli.prototxt import read_net, read_solver

MODELS = Path(__file__).resolve().parents[2] / "models"
FOLDERS = sorted(path.parent.name for path in MODELS.glob("*/solver.prototxt"))
DEPLOY = sorted(str(path.relative_to(MODELS)) for path in MODELS.glob("*/deploy*.prototxt"))

# Parameters counted by hand from the papers' tables, with the groups of convolutions 2, 4 and 5 where there are any.
# Running means and variances are none.
PARAMETERS = {
    "lenet/deploy.prototxt": 431_080,
    "alexnet/deploy.prototxt": 60_965_224,
    "alexnet/deploy_224.prototxt": 60_965_224,
    "caffenet/deploy.prototxt": 60_965_224,
    "googlenet/deploy.prototxt": 6_998_552,
    "vgg16/deploy.prototxt": 138_357_544,
    "resnet50/deploy.prototxt": 25_557_032 + 64,  # the biases of conv1, which the published weights hold
    "mobilenet/deploy.prototxt": 4_231_976,
}
STATISTICS = {"resnet50/deploy.prototxt": 2 * 26_560 + 53, "mobilenet/deploy.prototxt": 2 * 10_944 + 27}
LAST_CONVOLUTIONS = {
    "alexnet/deploy.prototxt": ("pool5", (256, 6, 6)),
    "alexnet/deploy_224.prototxt": ("pool5", (256, 6, 6)),
    "googlenet/deploy.prototxt": ("inception_5b/output", (1024, 7, 7)),
    "vgg16/deploy.prototxt": ("pool5", (512, 7, 7)),
    "resnet50/deploy.prototxt": ("res5c", (2048, 7, 7)),
    "mobilenet/deploy.prototxt": ("conv6/sep", (1024, 7, 7)),
}
OUTPUTS = {
    "digits": 10,
    "lenet": 10,
    "cifar10": 10,
    "alexnet": 1000,
    "caffenet": 1000,
    "zfnet": 1000,
    "googlenet": 1000,
    "vgg16": 1000,
    "resnet50": 1000,
    "mobilenet": 1000,
}


def built(document, phase):
    """The net with all its shapes, without memory."""
    return Net(document, phase, ops=Ops("plain"), dry=True)


def parameters(net, statistics):
    normalised = {layer.name for layer in net.layers if layer.type == "BatchNorm"}
    return sum(p.blob.count for p in net.learnable if (p.layer in normalised) == statistics)


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_is_complete(folder):
    for name in ("README.md", "solver.prototxt", "train_val.prototxt", "deploy.prototxt"):
        assert (MODELS / folder / name).is_file(), name


@pytest.mark.parametrize("name", DEPLOY)
def test_deploy_net_has_the_published_shapes(name):
    net = built(read_net(str(MODELS / name)), TEST)
    assert net.blobs["prob"].shape[1] == OUTPUTS[name.split("/")[0]]
    if name in PARAMETERS:
        assert parameters(net, statistics=False) == PARAMETERS[name]
        assert parameters(net, statistics=True) == STATISTICS.get(name, 0)
    if name in LAST_CONVOLUTIONS:
        blob, shape = LAST_CONVOLUTIONS[name]
        assert net.blobs[blob].shape[1:] == shape
    if name.startswith("alexnet"):
        assert net.blobs["conv1"].shape[1:] == (96, 55, 55)
    net.close()


CORPUS = Path(__file__).parents[3] / "shared" / "corpus"
PUBLISHED = {
    "resnet50": "KaimingHe+deep-residual-networks/prototxt/ResNet-50-deploy.prototxt",
    "mobilenet": "shicai+MobileNet-Caffe/mobilenet_deploy.prototxt",
    "vgg16": "intel+caffe/models/intel_optimized_models/benchmark/vgg16/deploy.prototxt",
}


@pytest.fixture(scope="module")
def published():
    """Text of each of the public versions of these nets."""
    with tarfile.open(CORPUS / "prototxt.tar.xz") as archive:
        wanted = {f"./{path}": folder for folder, path in PUBLISHED.items()}
        return {
            wanted[m.name]: archive.extractfile(m).read().decode() for m in archive if m.isfile() and m.name in wanted
        }


@pytest.mark.skipif(not CORPUS.exists(), reason="../shared/corpus is not here")
@pytest.mark.parametrize("folder", sorted(PUBLISHED))
def test_layers_have_the_names_and_shapes_of_the_public_version(folder, published, tmp_path):
    (tmp_path / "net.prototxt").write_text(published[folder])
    shapes = []
    for path in (tmp_path / "net.prototxt", MODELS / folder / "deploy.prototxt"):
        document = read_net(str(path))
        in_memory(document, (3, 224, 224))
        net = built(document, TEST)
        found = {name: [blob.shape for blob in blobs] for name, blobs in net.params.items()}
        shapes.append((found, {name: net.blobs[name].shape[1:] for name in found if name in net.blobs}))
        net.close()
    assert shapes[0] == shapes[1]


def layers(document, phase):
    """Layers with parameters or tops of one phase, without data and losses, as comparable texts."""
    skipped = {"Data", "Input", "Accuracy", "SoftmaxWithLoss", "Softmax"}
    kept = [x for x in document.message.layer if x.type not in skipped and not x.name.startswith(("loss1/", "loss2/"))]
    return [str(x) for x in kept if not x.include or any(r.phase == phase for r in x.include)]


@pytest.mark.parametrize("name", DEPLOY)
def test_deploy_is_train_val_without_its_data(name):
    train_val = read_net(str(MODELS / name.replace("deploy", "train_val")))
    assert layers(read_net(str(MODELS / name)), TEST) == layers(train_val, TEST)


@pytest.mark.parametrize("phase", [TRAIN, TEST], ids=["train", "test"])
def test_the_augmented_net_is_the_plain_one_behind_its_data(phase):
    nets = [read_net(str(MODELS / "cifar10" / f"train_val{end}.prototxt")) for end in ("", "_augmented")]
    assert layers(nets[0], phase) == layers(nets[1], phase)


@pytest.mark.parametrize("folder", FOLDERS)
def test_solver_names_its_own_folder(folder):
    for path in (MODELS / folder).glob("solver*.prototxt"):
        solver = read_solver(str(path)).message
        assert solver.net.startswith(f"models/{folder}/")
        assert (MODELS.parent / solver.net).is_file()
        assert solver.snapshot_prefix.startswith(f"models/{folder}/")


INPUT = {
    "digits": (1, 8, 8),
    "lenet": (1, 28, 28),
    "cifar10": (3, 32, 32),
    "zfnet": (3, 224, 224),
    "googlenet": (3, 224, 224),
}


def in_memory(document, image):
    """The same tops without a database, two images of this size where none is given."""
    for layer in document.message.layer:
        if layer.type == "Data":
            layer.type = "DummyData"
            crop = layer.transform_param.crop_size
            for shape in ((2, *((3, crop, crop) if crop else image)), (2,)):
                layer.dummy_data_param.shape.add().dim.extend(shape)
            layer.ClearField("data_param")
            layer.ClearField("transform_param")


@pytest.mark.parametrize("phase", [TRAIN, TEST], ids=["train", "test"])
@pytest.mark.parametrize("folder", FOLDERS)
def test_train_val_net_builds_on_images_of_its_size(folder, phase):
    for path in (MODELS / folder).glob("train_val*.prototxt"):
        document = read_net(str(path))
        in_memory(document, INPUT.get(folder))
        net = built(document, phase)
        assert any(name.endswith("loss") for name in net.outputs)
        assert ("accuracy" in net.outputs) == (phase == TEST)
        net.close()
