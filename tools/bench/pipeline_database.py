"""What the pipelines read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from netcli.sources.datum import write_datum, write_encoded_datum
from netcli.sources.image_file import encode_image, read_image
from netcli.sources.image_list import read_list
from netcli.sources.lmdb_writer import LmdbWriter

RECORDS = 1500  # 295 MB, which stay in the page cache


def make_list(folder: Path, into: Path) -> Path:
    """A list of the JPEGs below a folder, each with label 0."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    path = into / "list.txt"
    path.write_text("".join(f"{file} 0\n" for file in files))
    return path


def make_photographs(files: Path, into: Path, quality: int = 0) -> Path:
    """An LMDB of a list's images in their own sizes: as JPEGs of this quality, or (0) their pixels."""
    images = read_list(str(files))
    path = into / f"photographs{quality}_lmdb"
    with LmdbWriter(str(path)) as writer:
        for number, file in enumerate(images.paths):
            image = read_image(file, color=True)
            value = write_encoded_datum(encode_image(image, "jpg", quality), 0) if quality else write_datum(image, 0)
            writer.put(f"{number:08}".encode(), value)
    return path


def make_database(into: Path) -> Path:
    """An LMDB of noise, 3x256x256."""
    rng = np.random.default_rng(0)
    path = into / "raw_lmdb"
    with LmdbWriter(str(path)) as writer:
        for number in range(RECORDS):
            image = rng.integers(0, 256, (3, 256, 256), dtype=np.uint8)
            writer.put(f"{number:08}".encode(), write_datum(image, number % 1000))
    return path
