"""The sides of a comparison: each prepares one net on random data and gives back a training step.

Run as a process it answers each line on stdin, a number of steps, with the seconds they took.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from netcli.arrays.ops import Ops
from netcli.arrays.threads import set_threads
from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.prototxt import read_net, read_solver, to_text
from netcli.prototxt.lines import Document
from netcli.solvers import make_solver

Step = Callable[[], None]

MODELS = Path(__file__).resolve().parents[2] / "models"
INPUT = {"lenet": (1, 28, 28), "alexnet": (3, 227, 227)}
CLASSES = {"lenet": 10, "alexnet": 1000}


def batch(net: str, images: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1701)
    x = rng.standard_normal((images, *INPUT[net])).astype(np.float32)
    return x, rng.integers(0, CLASSES[net], images)


def in_memory(net: str, images: int) -> Document:
    """The model's net, its data held in memory: the same tops from Input."""
    document = read_net(str(MODELS / net / "train_val.prototxt"))
    for layer in document.message.layer:
        if layer.type == "Data":
            layer.type = "Input"
            for shape in ((images, *INPUT[net]), (images,)):
                layer.input_param.shape.add().dim.extend(shape)
            layer.ClearField("data_param")
            layer.ClearField("transform_param")
    return document


def netcli_side(net: str, images: int, engine: str = "auto") -> Step:
    set_threads(None)
    built = Net(in_memory(net, images), TRAIN, ops=Ops(engine), seed=1)
    x, y = batch(net, images)
    built.blobs["data"].data[...] = x
    built.blobs["label"].data[...] = y
    solver = make_solver(read_solver(str(MODELS / net / "solver.prototxt")), built.learnable)
    iteration = 0

    def step() -> None:
        nonlocal iteration
        built.clear_diffs()
        built.forward()
        built.backward()
        solver.update(iteration)
        iteration += 1

    return step


def pycaffe_side(net: str, images: int) -> Step:
    """The same by a program that steps a solver and looks at no blob."""
    from netcli import pycaffe as caffe

    caffe.init_log(2)
    param = read_solver(str(MODELS / net / "solver.prototxt")).message
    for field in ("net", "test_iter", "test_interval", "snapshot", "display"):
        param.ClearField(field)
    param.net_param.CopyFrom(in_memory(net, images).message)
    with tempfile.TemporaryDirectory() as folder:
        param.snapshot_prefix = f"{folder}/bench"
        Path(folder, "solver.prototxt").write_text(to_text(param))
        solver = caffe.get_solver(f"{folder}/solver.prototxt")
    x, y = batch(net, images)
    solver.net.engine.blobs["data"].data[...] = x  # not as a program does it, which would be a look
    solver.net.engine.blobs["label"].data[...] = y
    return lambda: solver.step(1)


def torch_net(net: str) -> object:
    from torch import nn

    def relu() -> nn.Module:
        return nn.ReLU(inplace=True)

    if net == "lenet":
        return nn.Sequential(
            nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(800, 500), relu(), nn.Linear(500, 10),
        )  # fmt: skip

    def lrn() -> nn.Module:
        return nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)

    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), relu(), lrn(), nn.MaxPool2d(3, 2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2), relu(), lrn(), nn.MaxPool2d(3, 2),
        nn.Conv2d(256, 384, 3, padding=1), relu(),
        nn.Conv2d(384, 384, 3, padding=1, groups=2), relu(),
        nn.Conv2d(384, 256, 3, padding=1, groups=2), relu(), nn.MaxPool2d(3, 2), nn.Flatten(),
        nn.Linear(9216, 4096), relu(), nn.Dropout(), nn.Linear(4096, 4096), relu(), nn.Dropout(), nn.Linear(4096, 1000),
    )  # fmt: skip


def torch_side(net: str, images: int, mode: str = "eager") -> Step:
    import torch
    from torch.nn.functional import cross_entropy

    model = torch_net(net)
    x, y = (torch.from_numpy(a) for a in batch(net, images))
    if mode == "channels_last":
        model, x = model.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.9, weight_decay=5e-4)
    run = torch.compile(model) if mode == "compile" else model

    def step() -> None:
        optimiser.zero_grad()
        cross_entropy(run(x), y).backward()
        optimiser.step()

    return step


SIDES: dict[str, Callable[[str, int], Step]] = {
    "netcli": netcli_side,
    "netcli pycaffe": pycaffe_side,
    "netcli plain": lambda net, images: netcli_side(net, images, "plain"),
    "torch eager": torch_side,
    "torch channels_last": lambda net, images: torch_side(net, images, "channels_last"),
    "torch compile": lambda net, images: torch_side(net, images, "compile"),
}


def serve(side: str, net: str, images: int) -> None:
    step = SIDES[side](net, images)
    for _ in range(3):
        step()
    print("ready", flush=True)
    for line in sys.stdin:
        start = time.perf_counter()
        for _ in range(int(line)):
            step()
        print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
