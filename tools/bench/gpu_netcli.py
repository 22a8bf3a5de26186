"""netcli's side on a card: training iterations, with images in the card's memory or from an LMDB of JPEGs.

python -m tools.bench.gpu_netcli CARD PRECISION CASE [LMDB]
"""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Any

from netcli.arrays.cuda.card import Card
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.ops import Ops
from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.prototxt import parse, schema
from netcli.prototxt.lines import Document
from netcli.solvers import make_solver
from tools.bench.cases import Case, case_of
from tools.bench.documents import flop, layers, net_document, solver_document
from tools.bench.turns import CardMeter, Step, serve

WARM_UP = 6  # steps: two choose, then one is recorded, and a few are replayed
TRANSFORM = """
random_aspect_ratio_param {{ min_area_ratio: 0.08 aspect_ratio_change: 0.75 }} crop_size: {size} mirror: true
mean_value: 103.53 mean_value: 116.28 mean_value: 123.675 scale: 0.017429
"""


def read_from(document: Document, case: Case, source: str) -> None:
    """Let the net have its images from an LMDB, a random part of each, brought to the net's size."""
    layer = next(layer for layer in document.message.layer if layer.type == "Input")
    layer.type = "Data"
    layer.ClearField("input_param")
    text = TRANSFORM.format(size=case.image[1])
    layer.transform_param.CopyFrom(parse(text, schema.TransformationParameter).message)
    layer.data_param.source, layer.data_param.batch_size = source, case.batch
    layer.data_param.backend = layer.data_param.LMDB


def prepare(device: CudaDevice, precision: str, case: Case, source: str = "") -> tuple[Step, dict[str, Any]]:
    """source: of the images; "": random numbers that are on the card already."""
    ops = Ops(precision=precision, device=device)
    document = net_document(case, "train")
    if source:
        read_from(document, case, source)
    net = Net(document, TRAIN, ops=ops, seed=1)
    if not source:
        x, y = case.batch_of("train")
        device.write(net.blobs["data"].data, x)
        device.write(net.blobs["label"].data, y.astype(x.dtype))
    solver = make_solver(solver_document(case), net.learnable, ops=ops)
    iteration = 0

    def step() -> None:
        nonlocal iteration
        net.clear_diffs()
        net.forward()
        net.backward()
        solver.update(iteration)
        iteration += 1

    found = layers(net)
    return step, {
        "parameters": sum(layer["parameters"] for layer in found),
        "flop": flop(found, "train"),
        "versions": {"netcli": importlib.metadata.version("netcli"), "with": ops.library()},
    }


def main() -> None:
    number, precision, name, *source = sys.argv[1:]
    card = Card(int(number))

    def prepared() -> tuple[Step, dict[str, Any]]:
        step, facts = prepare(card, precision, case_of(name), *source)
        return step, {**facts, "card": card.model}

    serve(prepared, CardMeter(card.xp.cuda.runtime.memGetInfo, card.synchronize), WARM_UP)


if __name__ == "__main__":
    main()
