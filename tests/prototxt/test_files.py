"""Kinds of files, and where a named file is found."""

import os

import pytest

from netcli.errors import PrototxtError
from netcli.prototxt import Lines, find_file, kind, parse, read_net, read_solver, to_text
from netcli.prototxt.tokens import top_fields
from prototxt.corpus import CORPUS, public_prototxts
from prototxt.messages import assert_lines_match


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('name: "LeNet"\nlayer { name: "data" }', "net"),
        ('layers { layer { name: "data" } }', "net"),
        ('input: "data"', "net"),
        ('name: "alone"', "net"),
        ('net: "layer { }" # layer { }', "solver"),
        ("debug_info: true base_lr: -inf max_iter: 5", "solver"),
        ('net_param { layer { name: "data" } }', "solver"),
        ('train_net: "train.prototxt"', "solver"),
        ('item { name: "none_of_the_above" label: 0 }', "label map"),
        ('layer { name: "with a mistake" type Convolution }} base_lr: 3', "net"),
        ("base_lr: 0.1 layerr { }", "solver"),
    ],
)
def test_kind(tmp_path, text, what):
    path = tmp_path / "anything.txt"
    path.write_text(text)
    assert kind(str(path)) == what


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("# a\n\nlayr { }", "3: is no net, solver or label map: none of them has 'layr'; did you mean 'layer'?"),
        ("import os", "1: is no net, solver or label map: none of them has 'import'"),
        ('{ "name": 5 }', "has no field; a net or a solver is wanted"),
    ],
)
def test_no_kind(tmp_path, text, fault):
    path = tmp_path / "anything.txt"
    path.write_text(text)
    with pytest.raises(PrototxtError) as caught:
        kind(str(path))
    assert str(caught.value).removeprefix(f"{path}:").strip() == fault


def test_top_fields_pass_over_values_and_blocks():
    text = 'a: b\nc: - inf d { e: 1 } f: "g" h\n: [i, j] k < l: 2 > m: 1 n: o'
    assert list(top_fields(text)) == [("a", 1), ("c", 2), ("d", 2), ("f", 2), ("h", 2), ("k", 3), ("m", 3), ("n", 3)]


def test_find_file(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    monkeypatch.chdir(here)
    lines = Lines(str(there / "solver.prototxt"), 3)
    assert find_file("net.prototxt", lines) == "net.prototxt"  # nowhere: as it stands
    (there / "net.prototxt").touch()
    assert find_file("net.prototxt", lines) == os.path.join(str(there), "net.prototxt")
    assert find_file("net.prototxt", Lines()) == "net.prototxt"
    assert find_file("/net.prototxt", lines) == "/net.prototxt"
    (here / "net.prototxt").touch()
    assert find_file("net.prototxt", lines) == "net.prototxt"  # the current folder goes first, as in Caffe


@pytest.mark.skipif(not CORPUS.is_file(), reason="the corpus of public prototxts is not beside the checkout")
def test_public_prototxts_are_written_as_they_are_read(tmp_path):
    path = tmp_path / "public.prototxt"
    for text in public_prototxts()[::20]:
        path.write_text(text)
        read = {"net": read_net, "solver": read_solver}.get(kind(str(path)))
        if read is not None:
            document = read(str(path))
            assert_lines_match(document)
            assert parse(to_text(document.message), type(document.message)).message == document.message
