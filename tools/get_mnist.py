"""Brings MNIST and makes data/mnist/train_lmdb and data/mnist/test_lmdb of it, for models/lenet.

    python tools/get_mnist.py               # downloads four files, 11 MB
    python tools/get_mnist.py --from DIR    # takes them from a folder, packed (.gz) or not
    python tools/get_mnist.py --backend leveldb    # makes train_leveldb and test_leveldb instead

Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits"; CC BY-SA 3.0.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import http.client
import sys
import urllib.request
import zlib
from pathlib import Path

import numpy as np

from netcli.errors import NetcliError
from netcli.sources.database import BACKENDS, LMDB, create_database
from netcli.sources.datum import write_datum

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "http://yann.lecun.com/exdb/mnist/",
)
MD5 = {  # of the unpacked files
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
PARTS = {"train": "train", "test": "t10k"}  # databases, and the files they are made of
SECONDS = 30  # a mirror may be silent for


class UnusableError(Exception):
    """A file that is not there or not the right one; the message says why."""


def checked(name: str, content: bytes) -> bytes:
    """The unpacked file, if `content` is it, packed or not."""
    if content[:2] == b"\x1f\x8b":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as fault:
            raise UnusableError(f"is packed but damaged ({fault})") from None
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if digest != MD5[name]:
        raise UnusableError(f"is another file: MD5 {digest}, not {MD5[name]}")
    return content


def from_folder(folder: Path, name: str) -> bytes:
    """The file `name` in a folder, packed or not; some unpackers write a dot for the second hyphen."""
    stem, _, kind = name.partition("-idx")
    for candidate in (f"{name}.gz", name, f"{stem}.idx{kind}.gz", f"{stem}.idx{kind}"):
        if (folder / candidate).is_file():
            try:
                return checked(name, (folder / candidate).read_bytes())
            except UnusableError as fault:
                sys.exit(f"{folder / candidate} {fault}")
    sys.exit(f"{folder} holds neither {name}.gz nor {name}")


def from_mirrors(name: str) -> bytes:
    """The file `name` from the first mirror that has it."""
    tried = []
    for mirror in MIRRORS:
        url = f"{mirror}{name}.gz"
        print(f"getting {url}", file=sys.stderr)
        try:
            with urllib.request.urlopen(url, timeout=SECONDS) as answer:
                return checked(name, answer.read())
        except (OSError, http.client.HTTPException, UnusableError) as fault:
            tried.append(f"{url} {fault}")
    sys.exit(
        "MNIST could not be had from any of its mirrors; get its four files by other means and give their folder with "
        "--from.\n  " + "\n  ".join(tried)
    )


def images(content: bytes) -> np.ndarray:
    """(N, 28, 28) uint8 of an idx3 file: four big-endian numbers (2051, N, 28, 28), then the pixels."""
    count, height, width = np.frombuffer(content, ">u4", 3, 4).tolist()
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, height, width)


def labels(content: bytes) -> np.ndarray:
    """(N,) uint8 of an idx1 file: two big-endian numbers (2049, N), then the labels."""
    return np.frombuffer(content, np.uint8, offset=8)


def write(path: Path, backend: str, pixels: np.ndarray, digits: np.ndarray) -> None:
    """A database of raw 1x28x28 records, in the files' order."""
    with create_database(str(path), backend, overwrite=True) as database:
        for index, (image, digit) in enumerate(zip(pixels, digits.tolist(), strict=True)):
            database.put(b"%08d" % index, write_datum(image[None], digit))
    print(f"{path}: {len(pixels)} records")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--from", dest="folder", type=Path, help="a folder that holds MNIST's four files")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent.parent / "data" / "mnist")
    parser.add_argument("--backend", choices=BACKENDS, default=LMDB)
    options = parser.parse_args(arguments)
    files = {name: from_folder(options.folder, name) if options.folder else from_mirrors(name) for name in MD5}
    options.to.mkdir(parents=True, exist_ok=True)
    try:
        for name, part in PARTS.items():
            pixels = images(files[f"{part}-images-idx3-ubyte"])
            path = options.to / f"{name}_{options.backend}"
            write(path, options.backend, pixels, labels(files[f"{part}-labels-idx1-ubyte"]))
    except NetcliError as fault:
        sys.exit(str(fault))


if __name__ == "__main__":
    main()
