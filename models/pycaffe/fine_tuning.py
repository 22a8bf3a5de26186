"""A trained net's weights under another task: even or odd, from a net that was trained to tell ten digits."""

from __future__ import annotations

import argparse
from pathlib import Path

import caffe
import numpy as np
from caffe.proto import caffe_pb2
from google.protobuf import text_format

RENAMED = "parity"
TEST_BATCHES = 6  # of 60 digits


class EvenOrOdd(caffe.Layer):
    """The label of a digit as 0 for even, 1 for odd."""

    def setup(self, bottom, top):  # type: ignore[no-untyped-def]
        if len(bottom) != 1 or len(top) != 1:
            raise ValueError("takes one bottom and one top")

    def reshape(self, bottom, top):  # type: ignore[no-untyped-def]
        top[0].reshape(*bottom[0].shape)

    def forward(self, bottom, top):  # type: ignore[no-untyped-def]
        top[0].data[...] = bottom[0].data % 2

    def backward(self, top, propagate_down, bottom):  # type: ignore[no-untyped-def]
        """Labels have no gradient."""


def other_task(path: str, sources: dict[int, str], learn_all: bool) -> caffe_pb2.NetParameter:
    """The net at `path` with its last layer renamed, for two classes, and its labels by way of EvenOrOdd."""
    net = caffe_pb2.NetParameter()
    text_format.Merge(Path(path).read_text(), net)
    last = [layer.name for layer in net.layer if layer.type == "InnerProduct"][-1]
    layers = list(net.layer)
    net.ClearField("layer")
    for layer in layers:
        if layer.type == "Data":
            layer.data_param.source = sources[layer.include[0].phase]
            layer.top[1] = "digit"
        if layer.name == last:
            layer.inner_product_param.num_output = 2
            layer.name = RENAMED
        elif not learn_all:
            for param in layer.param:
                param.lr_mult = 0
        for names in (layer.bottom, layer.top):
            for i, name in enumerate(names):
                if name == last:
                    names[i] = RENAMED
        net.layer.add().CopyFrom(layer)
        if layer.type == "Data" and layer.include[0].phase == caffe.TEST:
            parity = net.layer.add(name="labels", type="Python", bottom=["digit"], top=["label"])
            parity.python_param.module, parity.python_param.layer = "fine_tuning", "EvenOrOdd"
    return net


def accuracy(net: caffe.Net) -> float:
    return float(np.mean([float(net.forward()["accuracy"]) for _ in range(TEST_BATCHES)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", default="models/digits/train_val.prototxt")
    parser.add_argument("--weights", default="models/digits/digits_iter_900.caffemodel")
    parser.add_argument("--train", default="data/digits/train_lmdb")
    parser.add_argument("--test", default="data/digits/test_lmdb")
    parser.add_argument("--out", type=Path, default=Path("runs/fine_tuning"))
    parser.add_argument("--iterations", type=int, default=20)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    caffe.init_log(2)

    sources = {caffe.TRAIN: chosen.train, caffe.TEST: chosen.test}
    tries = {"from scratch": (True, False), "fine-tuned": (True, True), "the last layer alone": (False, True)}
    for name, (learn_all, pretrained) in tries.items():
        stem = name.replace(" ", "_")
        net = chosen.out / f"{stem}.prototxt"
        net.write_text(text_format.MessageToString(other_task(chosen.net, sources, learn_all)))
        path = chosen.out / f"{stem}_solver.prototxt"
        path.write_text(
            f'net: "{net}"\ntest_iter: {TEST_BATCHES}\ntest_interval: 100000\nbase_lr: 0.01\nlr_policy: "fixed"\n'
            f'momentum: 0.9\nmax_iter: {chosen.iterations}\nsnapshot_prefix: "{chosen.out / stem}"\nrandom_seed: 1\n'
        )
        solver = caffe.get_solver(str(path))
        if pretrained:
            solver.net.copy_from(chosen.weights)
        solver.step(chosen.iterations)
        print(f"{name}: accuracy {accuracy(solver.test_nets[0]):.3f} after {solver.iter} iterations")


if __name__ == "__main__":
    main()
