"""Makes data/digits of scikit-learn's copy of UCI's handwritten digits: PNG images and the lists train.txt, test.txt.

    pip download --no-deps scikit-learn
    unzip scikit_learn-*.whl sklearn/datasets/data/digits.csv.gz
    python tools/make_digits.py sklearn/datasets/data/digits.csv.gz

The result is in the tree; this says how it was made, and makes the same again.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import sys
from pathlib import Path

import numpy as np
from PIL import Image

# Of the unpacked table: 1,797 lines of 64 values in 0..16 and the digit.
SHA256 = "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
LEVELS = 16
TEST_IMAGES = 360  # a fifth, each digit in its share
SEED = 1797


def read_table(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 8, 8) in 0..16 and digits (N,); exits where the file is another one."""
    text = gzip.decompress(file.read_bytes())
    digest = hashlib.sha256(text).hexdigest()
    if digest != SHA256:
        sys.exit(f"{file} is not the table expected: its SHA-256 is {digest}, not {SHA256}")
    table = np.loadtxt(text.decode().splitlines(), delimiter=",").astype(np.int64)
    return table[:, :64].reshape(-1, 8, 8), table[:, 64]


def shuffled(count: int, seed: int) -> np.ndarray:
    """0 .. count - 1 in random order, the same from every version of NumPy."""
    return np.argsort(np.random.Philox(seed).random_raw(count))


def held_out(digits: np.ndarray) -> np.ndarray:
    """Which images are for testing: of each digit the same share, drawn at random; (N,) bool."""
    test = np.zeros(len(digits), bool)
    order = shuffled(len(digits), SEED)
    # The shares are rounded so that they add up (largest remainders first).
    counts = np.bincount(digits) * TEST_IMAGES / len(digits)
    wanted = np.floor(counts).astype(int)
    for digit in np.argsort(wanted - counts, kind="stable")[: TEST_IMAGES - wanted.sum()]:
        wanted[digit] += 1
    for digit, count in enumerate(wanted):
        test[order[digits[order] == digit][:count]] = True
    return test


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path, help="digits.csv.gz")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent.parent / "data" / "digits")
    options = parser.parse_args(arguments)
    images, digits = read_table(options.table)
    pixels = np.rint(images * (255 / LEVELS)).astype(np.uint8)
    paths = [f"images/{digit}/{index:04d}.png" for index, digit in enumerate(digits)]
    for path, image in zip(paths, pixels, strict=True):
        (options.to / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(options.to / path, optimize=True)
    test = held_out(digits)
    # In random order, so that a net that reads the list in its order sees all digits from the start.
    order = shuffled(len(digits), SEED + 1)
    for name, part in (("train.txt", order[~test[order]]), ("test.txt", order[test[order]])):
        (options.to / name).write_text("".join(f"{paths[i]} {digits[i]}\n" for i in part))


if __name__ == "__main__":
    main()
