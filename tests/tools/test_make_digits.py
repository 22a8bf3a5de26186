"""The digits in the tree are whole, and the tool that made them makes the same."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from netcli.sources.image_file import read_image
from netcli.sources.image_list import read_list

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "data" / "digits"


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location("make_digits", ROOT / "tools" / "make_digits.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table_of_the_tree():
    """Images in 0..16 and digits, by their numbers in the table."""
    images, digits = np.zeros((1797, 8, 8), int), np.full(1797, -1)
    for name in ("train.txt", "test.txt"):
        listed = read_list(str(DIGITS / name))
        for path, label in zip(listed.paths, listed.labels, strict=True):
            number = int(Path(path).stem)
            assert digits[number] == -1, "an image stands in both lists"
            digits[number] = label
            images[number] = np.rint(read_image(str(DIGITS / path))[0] * (16 / 255))
    return images, digits


def test_the_digits_in_the_tree_are_made_the_same_again(tool, tmp_path, monkeypatch):
    images, digits = table_of_the_tree()
    rows = np.concatenate([images.reshape(-1, 64), digits[:, None]], axis=1)
    text = "".join(",".join(map(str, row)) + "\n" for row in rows.tolist()).encode()
    (tmp_path / "digits.csv.gz").write_bytes(gzip.compress(text))
    tool.main([str(tmp_path / "digits.csv.gz"), "--to", str(tmp_path / "made")])  # checks the table's SHA-256
    files = sorted(path.relative_to(tmp_path / "made") for path in (tmp_path / "made").rglob("*") if path.is_file())
    assert len(files) == 1797 + 2
    for file in files:
        made, kept = tmp_path / "made" / file, DIGITS / file
        if file.suffix == ".png":  # the packing of a PNG is the library's affair
            np.testing.assert_array_equal(read_image(str(made)), read_image(str(kept)))
        else:
            assert made.read_bytes() == kept.read_bytes()


def test_a_fifth_of_each_digit_is_held_out():
    train, test = (read_list(str(DIGITS / name)) for name in ("train.txt", "test.txt"))
    assert (len(train), len(test)) == (1437, 360)
    counts = np.bincount(train.labels) + np.bincount(test.labels)
    assert np.abs(np.bincount(test.labels) - counts / 5).max() < 1


def test_another_table_is_refused(tool, tmp_path):
    (tmp_path / "other.gz").write_bytes(gzip.compress(b"1,2,3\n"))
    with pytest.raises(SystemExit, match="is not the table expected: its SHA-256 is"):
        tool.main([str(tmp_path / "other.gz"), "--to", str(tmp_path)])
