"""FFCV's side of the pipelines, on the CPU.  Imports no netcli.

A file of FFCV's own is written first, of the images as JPEGs that it encodes anew, or of their pixels.

python -m tools.bench.pipeline_ffcv jpg|raw LIST WORKERS
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ffcv.fields import IntField, RGBImageField
from ffcv.fields.rgb_image import RandomResizedCropRGBImageDecoder
from ffcv.loader import Loader, OrderOption
from ffcv.transforms import NormalizeImage, RandomHorizontalFlip, ToTensor
from ffcv.writer import DatasetWriter
from PIL import Image

from tools.bench.turns import Step, serve

COPIES = 16  # of each image, so that few of the batches are the first of an epoch, before which threads are started
MEAN = np.array([123.675, 116.28, 103.53])
DEVIATION = np.array([58.395, 57.12, 57.375])


class Files:
    """(pixels, label) of each file in a list, over and over."""

    def __init__(self, path: str) -> None:
        self.paths = [line.rsplit(" ", 1)[0] for line in Path(path).read_text().splitlines()] * COPIES

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Any, int]:
        with Image.open(self.paths[index]) as opened:
            return np.array(opened.convert("RGB")), 0


def prepare(mode: str, path: str, workers: int) -> tuple[Step, dict[str, Any]]:
    file = tempfile.NamedTemporaryFile(suffix=".beton")  # noqa: SIM115 - lives as long as the side
    fields = {"image": RGBImageField(write_mode=mode), "label": IntField()}
    DatasetWriter(file.name, fields, num_workers=workers).from_indexed_dataset(Files(path))
    image = [
        RandomResizedCropRGBImageDecoder((224, 224), scale=(0.08, 1.0), ratio=(0.75, 1.333)),
        RandomHorizontalFlip(),
        NormalizeImage(MEAN, DEVIATION, np.float32),
        ToTensor(),
    ]
    loader = Loader(
        file.name,
        batch_size=64,
        num_workers=workers,
        order=OrderOption.RANDOM,
        pipelines={"image": image, "label": None},
        drop_last=True,
    )

    def batches() -> Iterator[Any]:
        while file:
            yield from loader

    endless = batches()
    return lambda: next(endless), {"versions": f"FFCV {version('ffcv')}, torch {torch.__version__}"}


if __name__ == "__main__":
    mode, path, workers = sys.argv[1:]
    serve(lambda: prepare(mode, path, int(workers)))
