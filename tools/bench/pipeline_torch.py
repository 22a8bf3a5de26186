"""PyTorch's side of the pipelines: a DataLoader over what torchvision's transforms do, on Pillow.  Imports no netcli.

RandomResizedCrop(224), RandomHorizontalFlip, ToTensor, Normalize; torchvision itself has no wheel for each build of
PyTorch.

python -m tools.bench.pipeline_torch LIST WORKERS
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, Sampler

from tools.bench.turns import Step, serve

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
DEVIATION = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)


def random_part(width: int, height: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom, as RandomResizedCrop draws them."""
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1.0)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            left, top = random.randint(0, width - w), random.randint(0, height - h)
            return left, top, left + w, top + h
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


class Files(Dataset[Any]):
    """(image, label) of each file in a list; images are size x size."""

    def __init__(self, path: str, size: int = 224) -> None:
        self.size = size
        self.paths = [line.rsplit(" ", 1)[0] for line in Path(path).read_text().splitlines()]

    def __getitem__(self, index: int) -> tuple[Any, int]:
        with Image.open(self.paths[index]) as opened:
            image = opened.convert("RGB")
        image = image.crop(random_part(*image.size)).resize((self.size, self.size), Image.Resampling.BILINEAR)
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div_(255)
        return tensor.sub_(MEAN).div_(DEVIATION), 0


class OverAndOver(Sampler[int]):
    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        while True:
            yield from range(self.count)


def prepare(path: str, workers: int) -> tuple[Step, dict[str, Any]]:
    torch.set_num_threads(1)
    files = Files(path)
    batches = iter(DataLoader(files, 64, sampler=OverAndOver(len(files.paths)), num_workers=workers))
    return lambda: next(batches), {"versions": f"torch {torch.__version__}, Pillow {PIL.__version__}"}


if __name__ == "__main__":
    path, workers = sys.argv[1:]
    serve(lambda: prepare(path, int(workers)))
