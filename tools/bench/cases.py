"""What is compared: the nets, with their images and batches, and the kinds of work.

Every side reads this file, so it imports neither netcli nor a peer.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
DET1 = ROOT.parent / "shared" / "public_models" / "mtcnn" / "det1.prototxt"

WORK = {"train": 0, "infer1": 1, "infer64": 64}  # images in a batch; of training the case says them


@dataclass(frozen=True)
class Case:
    """A net at a size.

    file     of the net that infers: its deploy.prototxt
    image    (C, H, W)
    classes  that labels are drawn from
    batch    images of a training iteration; 0: it is not trained
    without  a layer type that is left out
    """

    name: str
    file: Path
    image: tuple[int, int, int]
    classes: int
    batch: int
    without: str = ""

    def images(self, work: str) -> int:
        """Images in a batch."""
        return WORK[work] or self.batch

    def does(self, work: str) -> bool:
        return self.file.exists() and (bool(self.batch) or work == "infer1")

    def batch_of(self, work: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """Images and labels, the same for every side."""
        rng = np.random.default_rng(1701)
        x = rng.standard_normal((self.images(work), *self.image)).astype(np.float32)
        return x, rng.integers(0, self.classes, len(x))


def _model(name: str, size: int, batch: int, folder: str = "", without: str = "") -> Case:
    return Case(
        name, ROOT / "models" / (folder or name) / "deploy.prototxt", (3, size, size), 1000, batch, without=without
    )


ALL = [
    Case("lenet", ROOT / "models" / "lenet" / "deploy.prototxt", (1, 28, 28), 10, 64),
    Case("cifar10", ROOT / "models" / "cifar10" / "deploy.prototxt", (3, 32, 32), 10, 64),
    _model("alexnet", 227, 64),
    _model("alexnet-no-lrn", 227, 64, "alexnet", without="LRN"),
    _model("caffenet", 227, 64),
    _model("googlenet", 224, 32),
    _model("vgg16", 224, 8),
    _model("resnet50", 224, 16),
    _model("mobilenet", 224, 32),
    Case("det1-12x12", DET1, (3, 12, 12), 2, 0),
    Case("det1-96x128", DET1, (3, 96, 128), 2, 0),
]
CASES = {case.name: case for case in ALL}


def case_of(text: str) -> Case:
    """A case by its name, or by NAME:IMAGES, trained by another batch; raises ValueError."""
    found = re.fullmatch(r"([\w-]+)(?::([1-9]\d*))?", text)
    if found is None or found[1] not in CASES:
        raise ValueError(f"{text!r} is neither one of {', '.join(CASES)} nor such a name with a batch, as lenet:64")
    name, images = found.groups()
    return replace(CASES[name], batch=int(images)) if images else CASES[name]


def side_environment() -> dict[str, str]:
    """What a side sees of the environment: all but the variables that pin OpenBLAS."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
