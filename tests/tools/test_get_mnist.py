import gzip
import hashlib
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest

from databases import SHARED, needs_leveldb, needs_shared
from netcli.sources.database import open_database
from netcli.sources.datum import read_datum

TOOL = Path(__file__).parents[2] / "tools" / "get_mnist.py"


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location("get_mnist", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path, tool, monkeypatch):
    """Files of MNIST's form with 5 and 3 images, whose checksums the tool is told."""
    folder = tmp_path / "files"
    folder.mkdir()
    for part, count in (("train", 5), ("t10k", 3)):
        images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        head = np.array([2051, count, 28, 28], ">u4").tobytes()
        (folder / f"{part}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(
            np.array([2049, count], ">u4").tobytes() + bytes(range(count))
        )
    for file in folder.iterdir():
        monkeypatch.setitem(tool.MD5, file.name, hashlib.md5(file.read_bytes()).hexdigest())
    return folder


def make(tool, folder, to, *options):
    tool.main(["--from", str(folder), "--to", str(to), *options])


def check(to, backend="lmdb"):
    assert sorted(os.listdir(to)) == [f"test_{backend}", f"train_{backend}"]
    for name, count in ((f"train_{backend}", 5), (f"test_{backend}", 3)):
        images = np.random.default_rng(count).integers(0, 256, (count, 28, 28), dtype=np.uint8)
        with open_database(str(to / name)) as database:
            assert len(database) == count
            for i in range(count):
                key, value = database[i]
                image, label = read_datum(value)
                assert (key, label) == (b"%08d" % i, i)
                np.testing.assert_array_equal(image[0], images[i])


def test_databases_of_packed_and_unpacked_files(tool, folder, tmp_path):
    make(tool, folder, tmp_path / "raw")
    check(tmp_path / "raw")
    for file in list(folder.iterdir()):
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    make(tool, folder, tmp_path / "packed")
    make(tool, folder, tmp_path / "packed")  # again, over itself
    check(tmp_path / "packed")


@needs_leveldb
def test_databases_of_the_other_kind(tool, folder, tmp_path):
    make(tool, folder, tmp_path / "to", "--backend", "leveldb")
    make(tool, folder, tmp_path / "to", "--backend", "leveldb")
    check(tmp_path / "to", "leveldb")


def test_the_name_some_unpackers_give(tool, folder, tmp_path):
    (folder / "train-images-idx3-ubyte").rename(folder / "train-images.idx3-ubyte")
    make(tool, folder, tmp_path / "to")
    check(tmp_path / "to")


def test_a_file_that_is_another_or_damaged_or_missing(tool, folder, tmp_path):
    file = folder / "train-images-idx3-ubyte"
    content = file.read_bytes()
    for wrong, sentence in (
        (content[:-1], r"train-images-idx3-ubyte is another file: MD5 [0-9a-f]{32}, not"),
        (gzip.compress(content)[:-9], "train-images-idx3-ubyte is packed but damaged"),
    ):
        file.write_bytes(wrong)
        with pytest.raises(SystemExit, match=sentence):
            make(tool, folder, tmp_path / "to")
    file.unlink()
    with pytest.raises(SystemExit, match=r"holds neither train-images-idx3-ubyte.gz nor"):
        make(tool, folder, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_mirrors_are_tried_in_turn(tool, folder, tmp_path, monkeypatch):
    for file in list(folder.iterdir()):
        (folder / f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    monkeypatch.setattr(tool, "MIRRORS", ((tmp_path / "nothing").as_uri() + "/", folder.as_uri() + "/"))
    tool.main(["--to", str(tmp_path / "to")])
    check(tmp_path / "to")


def test_no_mirror_at_all(tool, tmp_path, monkeypatch):
    monkeypatch.setattr(tool, "MIRRORS", ((tmp_path / "a").as_uri() + "/", (tmp_path / "b").as_uri() + "/"))
    with pytest.raises(SystemExit) as caught:
        tool.main(["--to", str(tmp_path / "to")])
    assert str(caught.value).startswith("MNIST could not be had from any of its mirrors; get its four files by other")
    assert os.listdir(tmp_path) == []


@needs_shared
def test_the_real_files_are_those_expected(tool):
    for name in tool.MD5:
        tool.from_folder(SHARED / "data" / "mnist", name)
