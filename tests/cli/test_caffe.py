"""Caffe's programs and scripts in their own spelling: lines, files and exit statuses."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from arrays.emulated.no_card import NO_CARD
from netcli import __version__
from netcli.prototxt import schema
from netcli.snapshots import read_blob, read_weights
from netcli.sources.lmdb_reader import LmdbReader
from netcli.training.prefix_lock import PrefixLock
from training.project import Project
from training.test_log_parser import OLD

LINE = re.compile(r"([IWEF])\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ ([\w.:]+)\] (.*)")


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "logs").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "logs"))  # where glog's files go
    for name in [name for name in os.environ if name.startswith(("GLOG_", "FLAGS_"))]:
        monkeypatch.delenv(name)
    return Project(tmp_path)


@pytest.fixture
def caffe(project, netcli):
    """The command in this process: (status, stdout, [(severity, text)] of the log on stderr, stderr)."""

    def run(*arguments):
        status, out, err = netcli("caffe", *arguments)
        return status, out, [(m[1], m[3]) for line in err.splitlines() if (m := LINE.fullmatch(line))], err

    return run


def texts(lines, severity="I"):
    return [text for letter, text in lines if letter == severity]


SPELLINGS = [
    ("train", "-solver", "solver.prototxt"),
    ("train", "--solver", "solver.prototxt"),
    ("train", "-solver=solver.prototxt"),
    ("--solver=solver.prototxt", "train"),
    ("caffe", "train", "-solver", "solver.prototxt"),
    ("build/tools/caffe", "train", "--flagfile=flags"),
]


@pytest.mark.parametrize("arguments", SPELLINGS, ids=" ".join)
def test_train(project, caffe, arguments):
    (project.folder / "flags").write_text("# a comment\n--solver=solver.prototxt\n")
    status, out, lines, _ = caffe(*arguments)
    assert (status, out) == (0, "")
    assert texts(lines)[0] == "Use CPU."
    assert texts(lines)[-2:] == ["Optimization Done.", "Optimization Done."]
    assert "Iteration 12, Testing net (#0)" in texts(lines)
    assert Path("tiny_iter_12.solverstate").exists()
    assert not Path("runs").exists()


def test_the_numbers_are_those_of_netcli_train(project, caffe, netcli):
    caffe("train", "-solver", "solver.prototxt")
    netcli("train", "solver.prototxt", "-q", "--level", "0", "--set", "snapshot_prefix=ours")
    assert Path("runs/tiny-1/train.log").exists()
    mine, theirs = (read_weights(f"{name}_iter_12.caffemodel").layers for name in ("tiny", "ours"))
    for a, b in zip(mine, theirs, strict=True):
        assert all((x == y).all() for x, y in zip(a.blobs, b.blobs, strict=True))


def test_a_level_and_stages_of_the_state(project, caffe):
    text = project.net.read_text()
    project.net.write_text(text.replace('name: "drop1"', 'name: "drop1" include { stage: "a" min_level: 2 }'))
    assert "level: 0" in caffe("train", "-solver", "solver.prototxt")[3]
    assert (
        len(caffe("time", "-model", "net.prototxt", "-iterations", 1, "-stage", "a,b", "-level=2")[2])
        == len(caffe("time", "-model", "net.prototxt", "-iterations", 1)[2]) + 2
    )
    assert 'stage: "b"' in caffe("train", "-solver", "solver.prototxt", "-stage", "a,b")[3]


def test_weights_and_snapshots_to_begin_with(project, caffe):
    caffe("train", "-solver", "solver.prototxt")
    weights, state = "tiny_iter_12.caffemodel", "tiny_iter_5.solverstate"
    project.write("max_iter: 7")
    lines = texts(caffe("train", "-solver", "solver.prototxt", "-snapshot", state)[2])
    assert f"Resuming from {state}" in lines
    assert not any(line.startswith("Iteration 0") for line in lines)
    lines = texts(caffe("train", "-solver", "solver.prototxt", "--weights", f"{weights},{weights}")[2])
    assert lines.count(f"Finetuning from {weights}") == 2


@pytest.mark.parametrize("gpu", ["0", "0,1", "all"])
def test_gpu_without_a_card_is_a_warning(project, caffe, gpu):
    status, _, lines, _ = caffe("train", "-solver", "solver.prototxt", "-gpu", gpu)
    assert status == 0
    assert texts(lines, "W") == [f"-gpu {gpu}: {NO_CARD}; the CPU computes"]
    project.write("solver_mode: GPU")
    status, _, lines, _ = caffe("train", "-solver", "solver.prototxt")
    assert (status, texts(lines, "W")[0][:17]) == (0, "solver_mode: GPU:")


def test_test(project, caffe):
    caffe("train", "-solver", "solver.prototxt")
    arguments = ("test", "-model", "net.prototxt", "-weights", "tiny_iter_12.caffemodel", "-iterations=3")
    status, out, lines, _ = caffe(*arguments)
    lines = texts(lines)
    assert (status, out) == (0, "")
    assert lines[:2] == ["Use CPU.", "Running for 3 iterations."]
    batches = [re.fullmatch(r"Batch (\d), (\w+) = ([\d.e-]+)", line).groups() for line in lines[2:8]]
    assert [batch[:2] for batch in batches] == [(str(i), name) for i in range(3) for name in ("accuracy", "loss")]
    mean = {name: np.mean([float(b[2]) for b in batches if b[1] == name]) for name in ("accuracy", "loss")}
    assert float(lines[8].removeprefix("Loss: ")) == pytest.approx(mean["loss"], rel=1e-5)
    assert float(lines[9].removeprefix("accuracy = ")) == pytest.approx(mean["accuracy"], rel=1e-5)
    assert re.fullmatch(r"loss = (\S+) \(\* 1 = \1 loss\)", lines[10])
    assert len(lines) == 11
    assert texts(caffe(*arguments, "-gpu", "0")[2], "W")


@pytest.mark.parametrize("phase", ["TRAIN", "TEST"])
def test_time(project, caffe, phase):
    status, _, lines, _ = caffe("time", "-model", "net.prototxt", "-phase", phase, "-iterations", 2)
    lines = texts(lines)
    assert status == 0
    assert lines[1] == "Performing Forward"
    assert [line.split(":")[0] for line in lines[2:4]] == ["Initial loss", "Performing Backward"]
    begin = lines.index("*** Benchmark begins ***")
    assert lines[begin + 1] == "Testing for 2 iterations."
    assert re.fullmatch(r"Iteration: 2 forward-backward time: [\d.e-]+ ms\.", lines[begin + 3])
    assert lines[begin + 4] == "Average time per layer: "
    assert re.fullmatch(r"      data\tforward: [\d.e-]+ ms\.", lines[begin + 5])
    assert re.fullmatch(r"      data\tbackward: [\d.e-]+ ms\.", lines[begin + 6])
    assert [line.split(":")[0] for line in lines[-5:-1]] == [
        *("Average Forward pass", "Average Backward pass", "Average Forward-Backward", "Total Time")
    ]
    assert lines[-1] == "*** Benchmark ends ***"
    assert float(lines[-4].split()[3]) > 0  # gradients are computed in either phase


def test_device_query(caffe):
    assert caffe("device_query")[::2] == (0, [("I", "Querying GPUs ")])
    status, _, lines, _ = caffe("device_query", "-gpu", "all")
    assert (status, texts(lines)) == (2, ["Querying GPUs all"])
    assert texts(lines, "F")[0].startswith(NO_CARD)


def test_a_loss_that_is_no_number_ends_no_run(project, caffe):
    project.write("base_lr: 1e38 test_interval: 100")
    status, _, lines, _ = caffe("train", "-solver", "solver.prototxt")
    assert (status, len(texts(lines, "W"))) == (0, 1)
    assert Path("tiny_iter_12.caffemodel").exists()


@pytest.mark.parametrize(
    ("name", "options", "status"),
    [
        ("SIGINT", (), 0),
        ("SIGHUP", ("-sighup_effect=stop",), 0),
        ("SIGTERM", ("-sigint_effect", "none"), 143),
    ],
)
def test_exit_statuses_of_a_stopped_training(project, name, options, status):
    project.write("max_iter: 1000000 display: 0")
    command = [sys.executable, "-m", "netcli", "caffe", "train", "-solver", "solver.prototxt", *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not Path("tiny_iter_10.solverstate").exists():
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.Signals[name])
        _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert [line.rpartition("] ")[2] for line in err.splitlines()[-2:]] == [
        *("Optimization stopped early.", "Optimization Done.")
    ]


def test_two_runs_with_one_prefix_are_a_warning(project, caffe):
    with PrefixLock(str(project.prefix)):
        status, _, lines, _ = caffe("train", "-solver", "solver.prototxt")
    assert status == 0
    assert texts(lines, "W")[0].startswith(f"process {os.getpid()} is training with the snapshot_prefix ")


FLAG_FAULTS = [
    ("train -modle x", "unknown command line flag 'modle'; did you mean 'model'?"),
    ("train -solvr x", "unknown command line flag 'solvr'; did you mean 'solver'?"),
    ("train -solver", "flag 'solver' is missing its argument"),
    ("test -model -weights x", "flag 'model' is missing its argument"),
    ("test -iterations=1e3", "illegal value '1e3' specified for int32 flag 'iterations'"),
    ("convert_imageset -gray=maybe a b c", "illegal value 'maybe' specified for bool flag 'gray'"),
    (
        "train solver.prototxt",
        "usage: caffe ACTION [flags], with one of the actions train, test, time and device_query; ",
    ),
    ("convert_imageset a b", "usage: convert_imageset [flags] ROOTFOLDER/ LISTFILE DB_NAME; got a b"),
    ("upgrade_net_proto_text a", "usage: upgrade_net_proto_text FILE_IN FILE_OUT; got a"),
]
FAULTS = [
    ("trian", "unknown action 'trian'; did you mean 'train'?; the actions are "),
    ("train", "train needs -solver"),
    ("train -solver none", "none: there is no such file"),
    ("train -solver net.prototxt", "net.prototxt: is a net, and train takes a solver prototxt"),
    (
        "train -solver s -snapshot a -weights b",
        "give -snapshot to go on from it or -weights to begin with them, not both",
    ),
    ("train -solver s -sigint_effect halt", "-sigint_effect is one of stop, snapshot, none, and not 'halt'"),
    ("train -solver solver.prototxt -gpu a", "-gpu takes numbers with commas between them, or all, and not 'a'"),
    (
        "train -solver solver.prototxt -weights a.solverstate",
        "a.solverstate: is a solver state: go on from it with -snap",
    ),
    (
        "train -solver solver.prototxt -snapshot a.caffemodel",
        "a.caffemodel: holds weights alone: begin with them by -we",
    ),
    ("test -model net.prototxt", "test needs -weights"),
    ("test -weights w", "test needs -model"),
    ("test -model net.prototxt -weights w -iterations=0", "-iterations is at least 1, got 0"),
    ("test -model net.prototxt -weights none", "none: there is no such caffemodel"),
    ("time -model net.prototxt -phase train", "-phase is TRAIN or TEST, and not 'train'"),
    ("time -model net.prototxt -engine x", "-engine is auto or plain, and not 'x'"),
    ("time -model net.prototxt -threads -1", "-threads is at least 1, or 0 for all cores, got -1"),
    (
        "upgrade_net_proto_text solver.prototxt x",
        "solver.prototxt: is a solver in text form; `netcli upgrade` takes any",
    ),
    ("upgrade_net_proto_binary net.prototxt x", "net.prototxt: is a net in text form; `netcli upgrade` takes any"),
    ("convert_imageset . none db", "none can't be read"),
    ("convert_imageset -encode_type=xyz . none db", "--encode-type is one of "),
    ("extract_features w n a,b c 1 lmdb", "there are 2 blobs, a,b, for 1 databases, c"),
    ("extract_features w n a c ten lmdb", "the number of batches is a whole one, and not 'ten'"),
]


@pytest.mark.parametrize(("arguments", "fault"), FLAG_FAULTS)
def test_faults_in_the_flags_have_the_status_of_gflags(caffe, arguments, fault):
    status, out, _, err = caffe(*arguments.split())
    assert (status, out) == (1, "")
    assert err.startswith(f"ERROR: {fault}")
    assert err.count("\n") == 1


@pytest.mark.parametrize(("arguments", "fault"), FAULTS)
def test_other_faults_are_one_line_of_the_log(caffe, arguments, fault):
    status, out, lines, err = caffe(*arguments.split())
    assert (status, out) == (2, "")
    assert texts(lines, "F")[0].startswith(fault)
    assert len(texts(lines, "F")) == 1
    assert "Traceback" not in err


@pytest.mark.parametrize("arguments", [(), ("train", "--help"), ("-help",), ("convert_imageset", "-help")])
def test_help_names_what_netcli_calls_each_flag(caffe, arguments):
    status, out, _, err = caffe(*arguments)
    assert (status, err) == (0, "")
    assert ("--shuffle" if "convert_imageset" in arguments else "[netcli: train --resume STATE]") in out


def test_version(caffe):
    assert caffe("-version")[0:2] == (0, f"caffe version {__version__}\n")


def images(folder, count=3):
    (folder / "images").mkdir()
    rng = np.random.default_rng(3)
    lines = []
    for number in range(count):
        Image.fromarray(rng.integers(0, 255, (6, 5, 3), np.uint8)).save(folder / "images" / f"{number}.png")
        lines.append(f"{number}.png {number}")
    (folder / "list.txt").write_text("\n".join([*lines, "none.png 1", ""]))


@pytest.mark.parametrize(
    ("flags", "shape"),
    [
        ((), (3, 6, 5)),
        (("-gray",), (1, 6, 5)),
        (("--gray", "-nogray"), (3, 6, 5)),
        (("-gray=true", "-resize_width=4", "-resize_height", "3"), (1, 3, 4)),
        (("-resize_width=4",), (3, 6, 5)),  # Caffe wants both
    ],
)
def test_convert_imageset_and_its_mean(caffe, tmp_path, flags, shape):
    images(tmp_path)
    status, out, lines, _ = caffe("convert_imageset", *flags, "images/", "list.txt", "new_db")
    assert (status, out) == (0, "")
    assert "is left out" in texts(lines)[-1]  # as Caffe leaves out what it can't read
    with LmdbReader("new_db") as database:
        assert len(database) == 3
    status, out, lines, _ = caffe("build/tools/compute_image_mean", "-backend=lmdb", "new_db", "mean")
    mean = read_blob("mean")
    assert (status, out, mean.shape) == (0, "", (1, *shape))
    assert texts(lines) == [
        "Write to mean",
        f"Number of channels: {shape[0]}",
        *(f"mean_value channel [{i}]: {mean[0, i].mean():.6g}" for i in range(shape[0])),
    ]
    assert len(texts(caffe("compute_image_mean", "new_db")[2])) == shape[0] + 1


def test_extract_features(project, caffe):
    caffe("train", "-solver", "solver.prototxt")
    arguments = ("tiny_iter_12.caffemodel", "net.prototxt", "ip1,ip2", "one,two", 2, "lmdb")
    status, out, lines, _ = caffe("extract_features", *arguments)
    assert (status, out) == (0, "")
    assert lines == [
        ("E", "Using CPU"),
        ("E", "Extracting Features"),
        ("E", "Extracted features of 6 query images for feature blob ip1"),
        ("E", "Extracted features of 6 query images for feature blob ip2"),
        ("E", "Successfully extracted the features!"),
    ]
    for name in ("one", "two"):
        with LmdbReader(name) as database:
            assert len(database) == 6
    gpu = caffe("extract_features", *arguments[:3], "three,four", *arguments[4:], "GPU", "0")
    assert gpu[2][0] == ("E", "Using CPU, since the GPU can't be used")


def test_upgrades(caffe, tmp_path):
    (tmp_path / "old").write_text('layers { name: "a" type: RELU bottom: "b" top: "a" }\n')
    status, _, lines, _ = caffe("upgrade_net_proto_text", "old", "new")
    assert (status, lines) == (0, [("I", "Wrote upgraded NetParameter text proto to new")])
    assert 'type: "ReLU"' in Path("new").read_text()
    status, _, lines, _ = caffe("upgrade_net_proto_text", "new", "again")
    assert (status, lines[0]) == (0, ("E", "File already in latest proto format: new"))
    (tmp_path / "old").write_bytes(schema.NetParameter(layers=[{"name": "a", "type": "RELU"}]).SerializeToString())
    status, _, lines, _ = caffe("upgrade_net_proto_binary", "old", "new")
    assert (status, lines) == (0, [("I", "Wrote upgraded NetParameter binary proto to new")])
    assert schema.NetParameter.FromString(Path("new").read_bytes()).layer[0].type == "ReLU"
    (tmp_path / "old").write_text('net: "n" solver_type: ADAM\n')
    status, _, lines, _ = caffe("upgrade_solver_proto_text", "old", "new")
    assert (status, lines) == (0, [("I", "Wrote upgraded SolverParameter text proto to new")])
    assert 'type: "Adam"' in Path("new").read_text()


def test_log_files_are_those_of_glog(project, caffe):
    caffe("train", "-solver", "solver.prototxt", "-gpu", "0")
    folder = project.folder / "logs"
    info = (folder / "caffe.INFO").read_text().splitlines()
    assert [line.split(":")[0] for line in info[:3]] == [
        *("Log file created at", "Running on machine", "Log line format")
    ]
    assert info[4].endswith("caffe.cpp:204] Use CPU.")
    warnings = (folder / "caffe.WARNING").read_text().splitlines()
    assert [line[0] for line in warnings[3:]] == ["W"]
    assert not (folder / "caffe.ERROR").exists()
    assert re.fullmatch(r"caffe\..*\.log\.INFO\.\d{8}-\d{6}\.\d+", os.readlink(folder / "caffe.INFO"))


def test_where_the_log_goes(project, caffe, monkeypatch):
    (project.folder / "mine").mkdir()
    caffe("device_query", "-log_dir=mine")
    assert (project.folder / "mine" / "caffe.INFO").exists()
    monkeypatch.setenv("GLOG_log_dir", str(project.folder / "logs"))
    monkeypatch.setenv("GLOG_logtostderr", "1")
    assert caffe("device_query")[2]
    assert not list((project.folder / "logs").iterdir())
    monkeypatch.setenv("GLOG_logtostderr", "0")
    assert caffe("device_query", "-alsologtostderr=false")[3] == ""
    assert (project.folder / "logs" / "caffe.INFO").exists()
    monkeypatch.setenv("GLOG_minloglevel", "1")
    assert caffe("device_query")[3] == ""
    assert [letter for letter, _ in caffe("device_query", "-gpu", "0")[2]] == ["F"]
    assert caffe("device_query", "-nolog_prefix", "-minloglevel=0")[3] == "Querying GPUs \n"
    assert "none" in caffe("device_query", "-log_dir=none", "-minloglevel=0")[3].splitlines()[1]


# Scripts.


def test_parse_log_and_plot_training_log(caffe, tmp_path):
    (tmp_path / "a.log").write_text(OLD)
    assert caffe("tools/extra/parse_log.py", "--verbose", "a.log", ".")[:2] == (
        0,
        "Wrote ./a.log.train\nWrote ./a.log.test\n",
    )
    assert caffe("parse_log", "a.log", ".", "--delim", ";")[0] == 0  # argparse takes the start of a name
    assert Path("a.log.train").read_text().startswith("NumIters;Seconds;LearningRate;loss")
    assert caffe("plot_training_log.py.example", "6", "out.svg", "a.log", "a.log")[0] == 0
    assert "Train loss vs. iters" in Path("out.svg").read_text()


def test_draw_net(caffe):
    assert caffe("draw_net", "net.prototxt", "net.dot", "--rankdir", "TB", "--phase=TEST", "--display_lrm")[0] == 0
    assert "accuracy" in Path("net.dot").read_text()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ("parse_log a.log", "the following arguments are required: output_dir"),
        ("classify in out --pretrained_model w", "--model_def is needed, for "),
        ("draw_net a b --rank_dir TB", "unrecognized arguments: --rank_dir TB"),
    ],
)
def test_faults_in_the_words_of_a_script(caffe, arguments, fault):
    status, _, _, err = caffe(*arguments.split())
    assert status == 2
    assert fault in err.splitlines()[-1]


def test_a_fault_of_a_script_is_one_sentence(caffe):
    assert caffe("parse_log", "none", ".")[::3] == (2, "netcli: none: can't be read: no such file or directory\n")
