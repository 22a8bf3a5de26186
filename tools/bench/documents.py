"""The nets of the cases with their data in memory, and what they consist of.

    python -m tools.bench.documents CASE WORK FOLDER

writes net.prototxt and, to train, solver.prototxt into a folder, for programs that read files, and prints the net's
layers as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from netcli.arrays.ops import Ops
from netcli.layers.base import TEST, TRAIN
from netcli.net import Net
from netcli.prototxt import read_net, read_solver, to_text
from netcli.prototxt.lines import Document
from tools.bench.cases import CASES, Case

RATE = 1e-5  # of every side's solver: random images teach nothing, and no side shall end in infinities


def phase(work: str) -> int:
    return TRAIN if work == "train" else TEST


def net_document(case: Case, work: str, source: str = "Input") -> Document:
    """The net of a case.

    source  "Input": who runs it sets the images; "DummyData": it has images of its own, all of one grey
    """
    path = case.file.with_name("train_val.prototxt") if work == "train" else case.file
    document = read_net(str(path))
    if case.without:
        _leave_out(document.message, case.without)
    image = (case.images(work), *case.image)
    for layer in document.message.layer:
        if layer.type in ("Data", "Input"):
            layer.ClearField("data_param")
            layer.ClearField("transform_param")
            layer.ClearField("input_param")
            layer.type = source
            _give(layer, [image, image[:1]][: len(layer.top)])
    return document


def _give(layer: Any, shapes: list[tuple[int, ...]]) -> None:
    for shape in shapes:
        if layer.type == "Input":
            layer.input_param.shape.add(dim=shape)
        else:
            layer.dummy_data_param.shape.add(dim=shape)
            layer.dummy_data_param.data_filler.add(type="constant", value=0.5 if len(shape) == 4 else 1)


def _leave_out(message: Any, kind: str) -> None:
    """Take the layers of a type out; who read their tops reads their bottoms."""
    instead = {layer.top[0]: layer.bottom[0] for layer in message.layer if layer.type == kind}
    kept = [layer for layer in message.layer if layer.type != kind]
    for layer in kept:
        layer.bottom[:] = [instead.get(name, name) for name in layer.bottom]
    del message.layer[:]
    message.layer.extend(kept)


def solver_document(case: Case) -> Document:
    """The solver of a case's folder without its net, tests and snapshots."""
    document = read_solver(str(case.file.with_name("solver.prototxt")))
    solver = document.message
    for field in ("net", "test_iter", "test_interval", "test_initialization", "snapshot", "display", "iter_size"):
        solver.ClearField(field)
    solver.base_lr = RATE
    solver.solver_mode = 0
    solver.snapshot_after_train = False
    return document


def layers(net: Net) -> list[dict[str, Any]]:
    """Of each layer what a peer needs to make the same, and the work in it."""
    found = []
    for layer, bottom, top, needs in zip(net.layers, net.bottoms, net.tops, net.bottom_need_backward, strict=True):
        entry: dict[str, Any] = {
            "name": layer.name,
            "type": layer.type,
            "bottom": [list(blob.shape) for blob in bottom],
            "multiply_adds": layer.multiply_adds(bottom, top),
            "parameters": sum(blob.count for blob in layer.blobs) if layer.type != "BatchNorm" else 0,
            "data_gradient": bool(needs) and needs[0],
        }
        if layer.type == "Convolution":
            p = layer.p  # type: ignore[attr-defined]
            entry["convolution"] = [p.num_output, p.kernel_size[0], (*p.stride, 1)[0], (*p.pad, 0)[0], p.group]
        elif layer.type == "Pooling":
            p = layer.p  # type: ignore[attr-defined]
            size = bottom[0].shape[2] if p.global_pooling else p.kernel_size
            entry["pooling"] = [p.pool, size, p.stride, p.pad]
        elif layer.type == "InnerProduct":
            entry["outputs"] = layer.p.num_output  # type: ignore[attr-defined]
        found.append(entry)
    return found


def flop(found: list[dict[str, Any]], work: str) -> int:
    """Floating point operations of a step in products with parameters: two for each multiply-add, forward, and to
    train once more for the parameters' gradients and once more for the bottom's, where there is one."""
    passes = (2 + x["data_gradient"] if work == "train" else 1 for x in found)
    return sum(2 * n * x["multiply_adds"] for n, x in zip(passes, found, strict=True))


def write(case: Case, work: str, folder: Path) -> list[dict[str, Any]]:
    """Write the files; the layers of their net."""
    document = net_document(case, work, "DummyData")
    (folder / "net.prototxt").write_text(to_text(document.message))
    if work == "train":
        solver = solver_document(case).message
        solver.net = str(folder / "net.prototxt")
        solver.snapshot_prefix = str(folder / "run")
        (folder / "solver.prototxt").write_text(to_text(solver))
    net = Net(document, phase(work), ops=Ops("plain"), dry=True)
    try:
        return layers(net)
    finally:
        net.close()


if __name__ == "__main__":
    print(json.dumps(write(CASES[sys.argv[1]], sys.argv[2], Path(sys.argv[3]))))
