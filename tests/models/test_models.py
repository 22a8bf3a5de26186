"""The nets under models/: what they build to, and what the folders hold."""

from pathlib import Path

import pytest

from netcli.layers.base import TEST, TRAIN
from netcli.net import Net
from netcli.prototxt import read_net, read_solver

MODELS = Path(__file__).resolve().parents[2] / "models"
FOLDERS = sorted(path.parent.name for path in MODELS.glob("*/solver.prototxt"))
DEPLOY = sorted(str(path.relative_to(MODELS)) for path in MODELS.glob("*/deploy*.prototxt"))

# Parameters counted by hand from the papers' tables, with the groups of convolutions 2, 4 and 5 where there are any.
PARAMETERS = {
    "lenet/deploy.prototxt": 431_080,
    "alexnet/deploy.prototxt": 60_965_224,
    "alexnet/deploy_224.prototxt": 60_965_224,
    "caffenet/deploy.prototxt": 60_965_224,
    "googlenet/deploy.prototxt": 6_998_552,
}
OUTPUTS = {
    "digits": 10,
    "lenet": 10,
    "cifar10": 10,
    "alexnet": 1000,
    "caffenet": 1000,
    "zfnet": 1000,
    "googlenet": 1000,
}


@pytest.mark.parametrize("folder", FOLDERS)
def test_folder_is_complete(folder):
    for name in ("README.md", "solver.prototxt", "train_val.prototxt", "deploy.prototxt"):
        assert (MODELS / folder / name).is_file(), name


@pytest.mark.parametrize("name", DEPLOY)
def test_deploy_net_has_the_published_shapes(name):
    net = Net(read_net(str(MODELS / name)), TEST)
    assert net.blobs["prob"].shape[1] == OUTPUTS[name.split("/")[0]]
    if name in PARAMETERS:
        assert sum(p.blob.count for p in net.learnable) == PARAMETERS[name]
    if name.startswith("alexnet"):
        assert net.blobs["conv1"].shape[1:] == (96, 55, 55)
        assert net.blobs["pool5"].shape[1:] == (256, 6, 6)
    net.close()


def layers(document, phase):
    """Layers with parameters or tops of one phase, without data and losses, as comparable texts."""
    skipped = {"Data", "Input", "Accuracy", "SoftmaxWithLoss", "Softmax"}
    kept = [x for x in document.message.layer if x.type not in skipped and not x.name.startswith(("loss1/", "loss2/"))]
    return [str(x) for x in kept if not x.include or any(r.phase == phase for r in x.include)]


@pytest.mark.parametrize("name", DEPLOY)
def test_deploy_is_train_val_without_its_data(name):
    train_val = read_net(str(MODELS / name.replace("deploy", "train_val")))
    assert layers(read_net(str(MODELS / name)), TEST) == layers(train_val, TEST)


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


@pytest.mark.parametrize("phase", [TRAIN, TEST], ids=["train", "test"])
@pytest.mark.parametrize("folder", FOLDERS)
def test_train_val_net_builds_on_images_of_its_size(folder, phase):
    for path in (MODELS / folder).glob("train_val*.prototxt"):
        document = read_net(str(path))
        for layer in document.message.layer:
            if layer.type == "Data":  # the same tops without a database
                layer.type = "DummyData"
                crop = layer.transform_param.crop_size
                image = (3, crop, crop) if crop else INPUT[folder]
                for shape in ((2, *image), (2,)):
                    layer.dummy_data_param.shape.add().dim.extend(shape)
                layer.ClearField("data_param")
                layer.ClearField("transform_param")
        net = Net(document, phase)
        assert any(name.endswith("loss") for name in net.outputs)
        assert ("accuracy" in net.outputs) == (phase == TEST)
        net.close()
