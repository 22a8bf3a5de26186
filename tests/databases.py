"""Small databases, lists and layers for the tests of what reads them."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format
from PIL import Image

from netcli.arrays.ops import Ops
from netcli.blob import Blob
from netcli.layers.base import TEST, TRAIN, Context, Layer, check_arity
from netcli.layers.registry import layer_class
from netcli.prototxt import schema
from netcli.sources.database import LMDB, create_database
from netcli.sources.datum import write_datum

SHARED = Path(__file__).resolve().parents[2] / "shared"  # larger sets of cases, beside the checkout where there are any
needs_leveldb = pytest.mark.skipif(find_spec("plyvel") is None, reason="plyvel is not installed")
needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="the larger sets of cases are not beside the checkout")


def make_images(count: int, shape: tuple[int, int, int] = (3, 6, 5), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def make_lmdb(path: Path, images: Any, labels: Any = None) -> str:
    """An LMDB of records 00000000, 00000001, ...; labels 0, 1, ... where none are given."""
    return make_database(path, LMDB, images, labels)


def make_database(path: Path, backend: str, images: Any, labels: Any = None) -> str:
    """The same of either kind."""
    with create_database(str(path), backend) as database:
        for index, image in enumerate(images):
            label = index if labels is None else int(labels[index])
            database.put(b"%08d" % index, write_datum(np.asarray(image), label))
    return str(path)


def make_list(folder: Path, images: Any, name: str = "list.txt") -> str:
    """PNG files 0.png, 1.png, ... of (C, H, W) images, and a list that labels each with its number."""
    for index, image in enumerate(images):
        pixels = image[0] if len(image) == 1 else np.ascontiguousarray(image[::-1].transpose(1, 2, 0))
        Image.fromarray(pixels).save(folder / f"{index}.png")
    (folder / name).write_text("".join(f"{folder}/{index}.png {index}\n" for index in range(len(images))))
    return str(folder / name)


class DataRun:
    """A data layer set up from prototxt text, by the verbs a net uses."""

    def __init__(
        self,
        prototxt: str,
        *,
        train: bool = True,
        tops: int = 2,
        seed: int = 0,
        folder: Any = None,
        ops: Ops | None = None,
    ) -> None:
        message = text_format.Parse(f"name: 'L' {prototxt}", schema.LayerParameter())
        cls = layer_class(message.type)
        check_arity(cls, 0, tops)
        context = Context(TRAIN if train else TEST, seed=seed, folder=None if folder is None else str(folder))
        if ops is not None:
            context = replace(context, ops=ops)
        self.layer: Layer = cls(message, context)
        self.top = [Blob(device=context.device) for _ in range(tops)]
        try:
            self.layer.setup([], self.top)
            self.layer.reshape([], self.top)
        except BaseException:
            self.layer.close()
            raise

    def forward(self) -> list[Any]:
        self.layer.forward([], self.top)
        return [blob.host_data().copy() for blob in self.top]

    def labels(self) -> list[int]:
        return [int(label) for label in self.forward()[1]]

    def __enter__(self) -> DataRun:
        return self

    def __exit__(self, *fault: Any) -> None:
        self.layer.close()
