"""Wrong inputs at the command line, and the sentence that each gets.

Every row runs a command in a folder with a small database, net, solver and weights, one thing of which is wrong.  It
must end with status 2, say one line, and leave no file half-written.  The table of all of them,
tests/wrong_inputs.md, is made by these tests: with NETCLI_WRITE_TABLES=1 they write it, else they compare.
"""

import os
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from databases import make_images, make_list, make_lmdb
from netcli.cli import main as cli
from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.prototxt import read_net
from netcli.sources.database import LMDB, open_database
from netcli.sources.shard_writer import ShardWriter
from netcli.sources.shards import Shards

TABLE = Path(__file__).with_name("wrong_inputs.md")

NET = """\
name: "tiny"
layer {
  name: "data"
  type: "Data"
  top: "data"
  top: "label"
  data_param { source: "db" batch_size: 4 backend: LMDB }
}
layer {
  name: "conv1"
  type: "Convolution"
  bottom: "data"
  top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } }
}
layer {
  name: "ip2"
  type: "InnerProduct"
  bottom: "conv1"
  top: "ip2"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } }
}
layer {
  name: "loss"
  type: "SoftmaxWithLoss"
  bottom: "ip2"
  bottom: "label"
  top: "loss"
}
"""

SOLVER = """\
net: "net.prototxt"
base_lr: 0.01
lr_policy: "fixed"
max_iter: 4
display: 2
snapshot_prefix: "tiny"
random_seed: 1
"""

DATA = NET[NET.index("layer") : NET.index("layer", NET.index("layer") + 5)]
INPUT = 'layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 5 } } }\n'
LOSS = NET[NET.index('layer {\n  name: "loss"') :]
DEPLOY = NET.replace(DATA, INPUT).replace(LOSS, 'layer { name: "prob" type: "Softmax" bottom: "ip2" top: "prob" }\n')


def edit(name, old, new):
    """Replace text in a file, which must have it."""

    def change(folder):
        text = (folder / name).read_text()
        assert old in text, f"{old!r} is not in {name}"
        (folder / name).write_text(text.replace(old, new))

    return change


def cut(name, share):
    """Keep only the first part of a file."""

    def change(folder):
        raw = (folder / name).read_bytes()
        (folder / name).write_bytes(raw[: int(len(raw) * share)])

    return change


def in_shards(count, *changes):
    """The database in shards, named so in the net; then changes."""

    def change(folder):
        with (
            open_database(str(folder / "db")) as reader,
            ShardWriter([f"{folder}/db"], count, LMDB, whole_too=False) as new,
        ):
            for index in range(count):
                with new.create(f"{folder}/db", index) as writer:
                    for number in Shards("db", count).span(index, len(reader)):
                        writer.put(*reader[number])
        in_net('"db"', f'"db@{count}"')(folder)
        for each in changes:
            each(folder)

    return change


def removed(name):
    return lambda folder: shutil.rmtree(folder / name)


def grown(name, size):
    """Let a file end with zeros, which take no room on the disk."""
    return lambda folder: os.truncate(folder / name, size)


def copied(name, other):
    return lambda folder: shutil.copyfile(folder / name, folder / other)


def copied_folder(name, other):
    return lambda folder: shutil.copytree(folder / name, folder / other)


def write(name, content):
    return lambda folder: (folder / name).write_bytes(content)


def in_net(old, new):
    return edit("net.prototxt", old, new)


def in_solver(old, new):
    return edit("solver.prototxt", old, new)


def without_an_image(folder):
    (folder / "1.png").unlink()


def nothing(_folder):
    pass


def windows(line):
    """A WindowData layer in place of the Data layer, whose window file has a right window and this one."""

    def change(folder):
        (folder / "windows.txt").write_text(f"# 0\n0.png\n3\n6\n5\n2\n0 0 0 0 4 4\n{line}\n")
        data = 'data_param { source: "db" batch_size: 4 backend: LMDB }'
        window_data = 'transform_param { crop_size: 5 } window_data_param { source: "windows.txt" batch_size: 4 }'
        in_net(data, window_data)(folder)
        in_net('"Data"', '"WindowData"')(folder)

    return change


def mean_of_wrong_size(folder):
    from netcli.snapshots import write_blob

    write_blob(str(folder / "mean.binaryproto"), np.zeros((1, 3, 9, 9), np.float32))
    in_net("  data_param", '  transform_param { mean_file: "mean.binaryproto" }\n  data_param')(folder)


def labels_beyond_the_classes(folder):
    shutil.rmtree(folder / "db")
    make_lmdb(folder / "db", make_images(8), np.arange(8))


def folder_that_refuses(folder):
    (folder / "shut").write_text("a file where a folder should be")
    in_solver('snapshot_prefix: "tiny"', 'snapshot_prefix: "shut/tiny"')(folder)


CONV_SETTINGS = NET[NET.index('  type: "Convolution"') : NET.index('}\nlayer {\n  name: "ip2"')]
PYTHON = 'type: "Python" bottom: "data" top: "conv1" python_param { module: "users_module" layer: "Scaled" }\n'
TWO_TEST_NETS = 'test_net: "net.prototxt"\n' * 2 + "test_iter: 5\ntest_interval: 2\nmax_iter"
EXTRACT = ["extract-features", "net.prototxt", "--weights", "tiny.caffemodel"]
CONVERT = ["convert-images", "/", "list.txt", "new_db"]
CONVERT_TO_DB = ["convert-images", "/", "list.txt", "db"]
MERGE = ["db", "merge", "db", "copy", "new_db", "--keep-keys"]
TRAIN_IT = ["train", "solver.prototxt"]
TEST_IT = ["test", "net.prototxt", "--weights", "tiny.caffemodel"]

ROWS = [
    ("solver that is not there", ["train", "nowhere.prototxt"], nothing),
    ("net that is not there", TRAIN_IT, in_solver("net.prototxt", "nowhere.prototxt")),
    ("net given where a solver is wanted", ["train", "net.prototxt"], nothing),
    ("caffemodel given as a solver", ["train", "tiny.caffemodel"], nothing),
    ("unknown field", TRAIN_IT, in_net("num_output: 4", "num_outputs: 4")),
    ("unknown layer type", TRAIN_IT, in_net('"Convolution"', '"Convolutoin"')),
    ("Python layer that is not allowed", TRAIN_IT, in_net(CONV_SETTINGS, PYTHON)),
    ("Python layer whose module is not there", [*TRAIN_IT, "--allow-python"], in_net(CONV_SETTINGS, PYTHON)),
    ("layer type of a fork", TRAIN_IT, in_net('"Convolution"', '"ROIPooling"')),
    ("unclosed brace", TRAIN_IT, write("net.prototxt", NET.rstrip().removesuffix("}").encode())),
    ("text where a number is wanted", TRAIN_IT, in_net("kernel_size: 3", 'kernel_size: "3"')),
    ("field given twice", TRAIN_IT, in_net("num_output: 4", "num_output: 4 num_output: 5")),
    ("bottom that nobody makes", TRAIN_IT, in_net('bottom: "conv1"', 'bottom: "conv2"')),
    ("top made twice", TRAIN_IT, in_net('top: "loss"', 'top: "data"')),
    ("kernel larger than the image", TRAIN_IT, in_net("kernel_size: 3", "kernel_size: 7")),
    ("num_output that group does not divide", TRAIN_IT, in_net("num_output: 4", "num_output: 4 group: 3")),
    ("missing num_output", TRAIN_IT, in_net("num_output: 3 ", "")),
    ("unknown filler", TRAIN_IT, in_net('3 weight_filler { type: "xavier" }', '3 weight_filler { type: "xaver" }')),
    ("too few bottoms", TRAIN_IT, in_net('  bottom: "label"\n', "")),
    ("unknown lr_policy", TRAIN_IT, in_solver('"fixed"', '"fixd"')),
    ("lr_policy without its field", TRAIN_IT, in_solver('"fixed"', '"step"')),
    ("unknown solver type", TRAIN_IT, in_solver("max_iter", 'type: "Adma"\nmax_iter')),
    ("test net without its test_iter", TRAIN_IT, in_solver("max_iter", TWO_TEST_NETS)),
    ("unknown field in --set", [*TRAIN_IT, "--set", "base_rl=1"], nothing),
    ("prefix that can't be written to", TRAIN_IT, folder_that_refuses),
    ("database that is not there", TRAIN_IT, in_net('"db"', '"nowhere_lmdb"')),
    ("folder that is no database", TRAIN_IT, in_net('"db"', '"."')),
    ("truncated database", TRAIN_IT, cut("db/data.mdb", 0.5)),
    ("shard that is missing", TRAIN_IT, in_shards(4, removed("db-00002-of-00004"))),
    ("shards of another number", TRAIN_IT, in_shards(4, removed("db"), in_net('"db@4"', '"db@3"'))),
    ("truncated shard", TRAIN_IT, in_shards(4, cut("db-00002-of-00004/data.mdb", 0.5))),
    ("label outside the classes", TRAIN_IT, labels_beyond_the_classes),
    ("mean of the wrong size", TRAIN_IT, mean_of_wrong_size),
    ("crop larger than the images", TRAIN_IT, in_net("  data_param", "  transform_param { crop_size: 32 } data_param")),
    ("weights that are not there", ["test", "net.prototxt", "--weights", "nowhere.caffemodel"], nothing),
    ("truncated weights", TEST_IT, cut("tiny.caffemodel", 0.7)),
    ("weights that are a text", ["test", "net.prototxt", "--weights", "solver.prototxt"], nothing),
    ("weights that are a solver state", TEST_IT, write("tiny.caffemodel", b"\x08\x05\x12\x01x")),
    ("weights above 2 GB", TEST_IT, grown("tiny.caffemodel", 2**31)),
    ("weights of other shapes", TEST_IT, in_net("num_output: 3 ", "num_output: 5 ")),
    ("resume where nothing is", [*TRAIN_IT, "--resume"], nothing),
    ("resume from weights", [*TRAIN_IT, "--resume", "tiny.caffemodel"], nothing),
    ("resume from weights of another name", [*TRAIN_IT, "--resume", "state"], copied("tiny.caffemodel", "state")),
    ("list that is not there", ["convert-images", ".", "nowhere.txt", "new_db"], nothing),
    ("unreadable image in a list", CONVERT, write("1.png", b"this is no image")),
    ("image of the list that is not there", CONVERT, without_an_image),
    ("list without labels", ["convert-images", ".", "bad.txt", "new_db"], write("bad.txt", b"0.png\n")),
    ("database that is there already", CONVERT_TO_DB, nothing),
    ("shards that are there already", [*CONVERT_TO_DB, "--shards", "2"], in_shards(4, removed("db"))),
    ("database where shards are to be", [*CONVERT_TO_DB, "--shards", "2"], nothing),
    ("more shards than images", [*CONVERT, "--shards", "4"], nothing),
    ("image that is not there", ["predict", "deploy.prototxt", "--weights", "tiny.caffemodel", "nowhere.png"], nothing),
    ("mean of what is no database", ["compute-mean", "nowhere_lmdb", "mean.binaryproto"], nothing),
    ("axes of images that are cut off", ["compute-mean", "db", "--pca"], cut("db/data.mdb", 0.5)),
    ("record that is not there", ["db", "get", "db", "x.png", "--record", "99"], nothing),
    ("key that is not there", ["db", "get", "db", "x.png", "--key", "cat"], nothing),
    ("databases with the same keys", MERGE, copied_folder("db", "copy")),
    ("parts of more than there is", ["db", "split", "db", "a_db=0.9", "b_db=0.2"], nothing),
    ("part in the place of the whole", ["db", "split", "db", "db=0.5", "--force"], nothing),
    ("look at a net without data", ["data", "deploy.prototxt"], nothing),
    ("look at a net whose database is not there", ["data", "net.prototxt"], in_net('"db"', '"nowhere"')),
    ("features of a blob that is not there", [*EXTRACT, "--blob", "conv2=new_db"], nothing),
    ("features into a database that is there", [*EXTRACT, "--blob", "conv1=db"], nothing),
    ("window file with a wrong window", TRAIN_IT, windows("1 0.9 3 0 2 4")),
    ("window beyond its image", TRAIN_IT, windows("1 0.9 0 0 5 5")),
    ("upgrade of a database", ["upgrade", "db/data.mdb", "new"], nothing),
    ("upgrade of a caffemodel that is cut off", ["upgrade", "tiny.caffemodel", "new"], cut("tiny.caffemodel", 0.5)),
    ("learning rate that is no number", [*TRAIN_IT, "--set", "base_lr=nan"], nothing),
    ("log of no training", ["parse-log", "list.txt"], nothing),
    ("chart of no training", ["plot-log", "list.txt", "chart.svg"], nothing),
]  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """The folder that every row starts from."""
    folder = tmp_path_factory.mktemp("right")
    make_lmdb(folder / "db", make_images(8), np.arange(8) % 3)
    make_list(folder, make_images(3))
    for name, text in (("net.prototxt", NET), ("solver.prototxt", SOLVER), ("deploy.prototxt", DEPLOY)):
        (folder / name).write_text(text)
    before = Path.cwd()
    os.chdir(folder)
    try:
        net = Net(read_net("net.prototxt"), TRAIN, seed=1)
        net.save("tiny.caffemodel")
        net.close()
    finally:
        os.chdir(before)
    lines = (folder / "list.txt").read_text().replace(f"{folder}/", "")
    (folder / "list.txt").write_text(lines)
    return folder


def run(arguments, monkeypatch, capsys):
    """(exit status, stderr) of `netcli ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["netcli", *arguments])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return stop.value.code, capsys.readouterr().err


def prepared(template, tmp_path, change, arguments):
    folder = tmp_path / "work"
    shutil.copytree(template, folder)
    change(folder)
    return folder, [str(folder) if a == "/" else a for a in arguments]


messages: dict[str, tuple[str, str]] = {}


@pytest.mark.parametrize(("title", "arguments", "change"), ROWS, ids=[row[0].replace(" ", "_") for row in ROWS])
def test_wrong_input_gets_one_sentence(title, arguments, change, template, tmp_path, monkeypatch, capsys):
    folder, arguments = prepared(template, tmp_path, change, arguments)
    monkeypatch.chdir(folder)
    before = {path for path in folder.rglob("*") if "runs" not in path.parts}
    status, errors = run(arguments, monkeypatch, capsys)
    lines = [line for line in errors.splitlines() if not line.startswith(("warning: ", "info: "))]
    assert status == 2, errors
    assert "Traceback" not in errors
    assert len(lines) == 1 or lines[0].startswith("Usage:"), errors
    after = {path for path in folder.rglob("*") if "runs" not in path.parts}
    assert after == before, "something was left behind"
    message = re.sub(r"pid \d+", "pid N", lines[-1].replace(str(folder), "").removeprefix("netcli: "))
    messages[title] = ("netcli " + " ".join(a if a != str(folder) else "/" for a in arguments), message)


def test_the_table_is_current():
    if len(messages) != len(ROWS):
        pytest.skip("not every row has run in this process, or passed")
    rows = [f"| {title} | `{messages[title][0]}` | {messages[title][1]} |" for title, _, _ in ROWS]
    head = (
        "# Wrong inputs, and what each gets\n\n"
        "Made by tests/test_wrong_inputs.py (NETCLI_WRITE_TABLES=1 writes it anew); every row ends with status 2.\n\n"
        "| what is wrong | command | message |\n|---|---|---|\n"
    )
    table = head + "\n".join(rows) + "\n"
    if os.environ.get("NETCLI_WRITE_TABLES"):
        TABLE.write_text(table)
    assert TABLE.read_text() == table
