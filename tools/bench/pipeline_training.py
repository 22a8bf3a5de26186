"""AlexNet's training iterations with its images in memory, or from a database through crop, flip and PCA jitter.

python -m tools.bench.pipeline_training memory|database SOURCE
"""

from __future__ import annotations

import sys
from typing import Any

from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.prototxt import parse, schema
from netcli.solvers import make_solver
from tools.bench.cases import CASES
from tools.bench.documents import net_document, solver_document
from tools.bench.turns import Step, serve

TRANSFORM = "crop_size: 227 mirror: true mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.017 pca_jitter { }"


def prepare(kind: str, source: str) -> tuple[Step, dict[str, Any]]:
    case = CASES["alexnet"]
    document = net_document(case, "train")
    x, y = case.batch_of("train")
    if kind == "database":
        layer = next(layer for layer in document.message.layer if layer.type == "Input")
        layer.type = "Data"
        layer.ClearField("input_param")
        layer.transform_param.CopyFrom(parse(TRANSFORM, schema.TransformationParameter).message)
        layer.data_param.source, layer.data_param.batch_size = source, len(x)
        layer.data_param.backend = layer.data_param.LMDB
    net = Net(document, TRAIN, seed=1)
    if kind == "memory":
        net.blobs["data"].data[...] = x
        net.blobs["label"].data[...] = y
    solver = make_solver(solver_document(case), net.learnable)
    iteration = 0

    def step() -> None:
        nonlocal iteration
        net.clear_diffs()
        net.forward()
        net.backward()
        solver.update(iteration)
        iteration += 1

    return step, {"versions": net.context.ops.library()}


if __name__ == "__main__":
    kind, source = sys.argv[1:]
    serve(lambda: prepare(kind, source))
