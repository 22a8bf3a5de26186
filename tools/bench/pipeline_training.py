"""AlexNet's training iterations with its images in memory, or from a database through crop, flip and PCA jitter.

python -m tools.bench.pipeline_training memory|database SOURCE
"""

from __future__ import annotations

import sys
from typing import Any

from netcli.layers.base import TRAIN
from netcli.net import Net
from tools.bench.cases import CASES
from tools.bench.documents import net_document
from tools.bench.training import read_from, training_step
from tools.bench.turns import Step, serve

TRANSFORM = "crop_size: 227 mirror: true mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.017 pca_jitter { }"


def prepare(kind: str, source: str) -> tuple[Step, dict[str, Any]]:
    case = CASES["alexnet"]
    document = net_document(case, "train")
    x, y = case.batch_of("train")
    if kind == "database":
        read_from(document, source, len(x), TRANSFORM)
    net = Net(document, TRAIN, seed=1)
    if kind == "memory":
        net.blobs["data"].data[...] = x
        net.blobs["label"].data[...] = y
    return training_step(net, case), {"versions": net.context.ops.library()}


if __name__ == "__main__":
    kind, source = sys.argv[1:]
    serve(lambda: prepare(kind, source))
