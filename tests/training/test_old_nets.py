"""A net in Caffe's three forms of text, trained from either kind of database."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from databases import SHARED, make_database, needs_leveldb, needs_shared
from netcli.arrays.ops import Ops
from netcli.prototxt import read_solver
from netcli.sources.database import LEVELDB, LMDB
from netcli.sources.image_file import read_image
from netcli.sources.image_list import read_list
from netcli.training.journal import Journal
from netcli.training.session import open_session
from training.project import Record

ROOT = Path(__file__).resolve().parents[2]
DIGITS = ROOT / "data" / "digits"
V0_OF_MNIST = SHARED / "golden" / "v0" / "mnist-small.prototxt"

# `backend` is given nowhere: V0 has no such setting, and LevelDB was all there was.
V0 = """
name: "digits"
layers {
  layer { name: "digits" type: "data" source: "data/train" batchsize: 64 scale: 0.00390625 }
  top: "data" top: "label"
}
layers {
  layer { name: "ip" type: "innerproduct" num_output: 10 weight_filler { type: "xavier" } blobs_lr: 1 blobs_lr: 2 }
  bottom: "data" top: "ip"
}
layers { layer { name: "prob" type: "softmax_loss" } bottom: "ip" bottom: "label" }
"""
V1 = """
name: "digits"
layers {
  name: "digits" type: DATA top: "data" top: "label"
  data_param { source: "data/train" batch_size: 64 scale: 0.00390625 }
}
layers {
  name: "ip" type: INNER_PRODUCT bottom: "data" top: "ip" blobs_lr: 1 blobs_lr: 2
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } }
}
layers { name: "prob" type: SOFTMAX_LOSS bottom: "ip" bottom: "label" }
"""
V2 = """
name: "digits"
layer {
  name: "digits" type: "Data" top: "data" top: "label"
  transform_param { scale: 0.00390625 }
  data_param { source: "data/train" batch_size: 64 }
}
layer {
  name: "ip" type: "InnerProduct" bottom: "data" top: "ip" param { lr_mult: 1 } param { lr_mult: 2 }
  inner_product_param { num_output: 10 weight_filler { type: "xavier" } }
}
layer { name: "prob" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" }
"""
# What makes them the net of MNIST, which learns its bias at the same rate.
OF_MNIST = {
    '"data/train"': '"data/mnist-train-leveldb"',
    '"digits"': '"mnist"',
    " blobs_lr: 1 blobs_lr: 2": "",
    " param { lr_mult: 1 } param { lr_mult: 2 }": "",
}

TEST = """
layer {{
  name: "data" type: "Data" top: "data" top: "label"
  transform_param {{ scale: 0.00390625 }}
  data_param {{ source: "data/test" batch_size: {batch} }}
}}
layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param {{ num_output: 10 }} }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" }}
"""
SOLVER = """
train_net: "{net}"
test_net: "test.prototxt"
test_iter: {test_iter}
test_interval: {iterations}
test_initialization: false
base_lr: {lr}
momentum: 0.9
lr_policy: "fixed"
max_iter: {iterations}
snapshot_after_train: false
random_seed: 3
"""

kinds = pytest.mark.parametrize("kind", [LMDB, pytest.param(LEVELDB, marks=needs_leveldb)])


def train(net, iterations, lr, test_iter):
    """Train in the current folder; returns the losses and the accuracy after the last iteration."""
    Path("solver.prototxt").write_text(SOLVER.format(net=net, iterations=iterations, lr=lr, test_iter=test_iter))
    session = open_session(read_solver("solver.prototxt"), Journal(), ops=Ops(), seed=3)
    record = Record()
    try:
        run = session.trainer()
        run.add([record])
        run.train()
    finally:
        session.close()
    ((_, _, _, (accuracy,)),) = record.scores
    return record.losses, accuracy


@kinds
def test_a_net_of_2013_trains_on_digits_and_its_later_forms_do_the_same(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    for part in ("train", "test"):
        digits = read_list(str(DIGITS / f"{part}.txt"))
        images = [read_image(str(DIGITS / path), color=False) for path in digits.paths]
        make_database(tmp_path / "data" / part, kind, images, digits.labels)
    Path("test.prototxt").write_text(TEST.format(batch=60))
    results = []
    for name, text in (("v0", V0), ("v1", V1), ("v2", V2)):
        Path(f"{name}.prototxt").write_text(text)
        results.append(train(f"{name}.prototxt", iterations=200, lr=0.2, test_iter=6))
    assert results[0] == results[1] == results[2]
    losses, accuracy = results[0]
    assert np.mean(losses[-10:]) < 0.2 * losses[0]
    assert accuracy >= 0.9


@needs_shared
@kinds
def test_caffe_s_first_mnist_net_unchanged(tmp_path, monkeypatch, kind):
    monkeypatch.chdir(tmp_path)
    spec = importlib.util.spec_from_file_location("get_mnist", ROOT / "tools" / "get_mnist.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    for part, database in (("train", "data/mnist-train-leveldb"), ("t10k", "data/test")):
        content = [
            tool.from_folder(SHARED / "data" / "mnist", f"{part}-{what}")
            for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
        ]
        make_database(tmp_path / database, kind, tool.images(content[0])[:, None], tool.labels(content[1]))
    Path("test.prototxt").write_text(TEST.format(batch=1000))
    settings = {"iterations": 300, "lr": 0.05, "test_iter": 10}
    losses, accuracy = train(V0_OF_MNIST, **settings)
    assert accuracy >= 0.9
    for name, text in (("v1", V1), ("v2", V2)):
        for old, new in OF_MNIST.items():
            text = text.replace(old, new)
        Path(f"{name}.prototxt").write_text(text)
        assert train(f"{name}.prototxt", **settings) == (losses, accuracy)
