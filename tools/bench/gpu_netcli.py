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
from tools.bench.cases import Case, case_of
from tools.bench.documents import flop, layers, net_document
from tools.bench.training import read_from, training_step
from tools.bench.turns import CardMeter, Step, serve

WARM_UP = 6  # steps: two choose, then one is recorded, and a few are replayed
TRANSFORM = """
random_aspect_ratio_param {{ min_area_ratio: 0.08 aspect_ratio_change: 0.75 }} crop_size: {size} mirror: true
mean_value: 103.53 mean_value: 116.28 mean_value: 123.675 scale: 0.017429
"""


def prepare(device: CudaDevice, precision: str, case: Case, source: str = "") -> tuple[Step, dict[str, Any]]:
    """source: of the images; "": random numbers that are on the card already."""
    ops = Ops(precision=precision, device=device)
    document = net_document(case, "train")
    if source:
        read_from(document, source, case.batch, TRANSFORM.format(size=case.image[1]))
    net = Net(document, TRAIN, ops=ops, seed=1)
    if not source:
        x, y = case.batch_of("train")
        device.write(net.blobs["data"].data, x)
        device.write(net.blobs["label"].data, y.astype(x.dtype))
    found = layers(net)
    return training_step(net, case, ops), {
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
