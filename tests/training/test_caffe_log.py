"""The log, read by the expressions of the programs that parse Caffe's."""

import re

import pytest

from netcli.training.caffe_log import CaffeLog
from netcli.training.hooks import Hook, Order
from netcli.training.journal import Journal
from netcli.training.snapshot import Snapshots
from training.project import Record

PREFIX = re.compile(r"I(\d\d)(\d\d) (\d\d):(\d\d):(\d\d)\.(\d{6}) +\d+ (\w+\.cpp):\d+\] (.*)")
# Those of Caffe's tools/extra/parse_log.py.
ITERATION = re.compile(r"Iteration (\d+)")
TRAIN_OUTPUT = re.compile(r"Train net output #(\d+): (\S+) = ([\.\deE+-]+)")
TEST_OUTPUT = re.compile(r"Test net output #(\d+): (\S+) = ([\.\deE+-]+)")
RATE = re.compile(r"lr = ([-+]?[0-9]*\.?[0-9]+([eE]?[-+]?[0-9]+)?)")


def log_of(project, *hooks, stop_at=None):
    """(lines of the log, each without its prefix; the record of what happened)."""
    journal, record = Journal(), Record(stop_at)
    session = project.open(journal=journal)
    run = session.trainer()
    run.add([CaffeLog(journal), Snapshots(session.document.message), record, *hooks])
    path = project.folder / "train.log"
    journal.open(path)
    run.train()
    journal.close()
    session.close()
    lines = path.read_text().splitlines()
    return [match[8] for line in lines if (match := PREFIX.fullmatch(line))], record


def test_the_log_of_a_run(project):
    lines, record = log_of(project)
    start = lines.index("Solving tiny")
    assert lines[start + 1] == "Learning Rate Policy: inv"
    assert lines[start + 2 : start + 5] == [
        "Iteration 0, Testing net (#0)",
        f"    Test net output #0: accuracy = {record.scores[0][3][0]:g}",
        "    Test net output #1: loss = {0:g} (* 1 = {0:g} loss)".format(record.scores[0][3][1]),
    ]
    shown = record.losses[0]
    assert re.fullmatch(rf"Iteration 0 \(0 iter/s, [\d.e-]+s/2 iters\), loss = {shown:g}", lines[start + 5])
    assert lines[start + 6] == f"    Train net output #0: loss = {shown:g} (* 1 = {shown:g} loss)"
    assert lines[start + 7] == "Iteration 0, lr = 0.1"
    smoothed = sum(record.losses[:3]) / 3
    assert re.fullmatch(rf"Iteration 2 \([\d.e+]+ iter/s, .*s/2 iters\), loss = {smoothed:g}", lines[start + 8])


def test_parse_log_finds_every_number(project):
    lines, record = log_of(project)
    iteration, train, test, rates = None, [], [], []
    for line in lines:
        if match := ITERATION.search(line):
            iteration = int(match[1])
        if match := RATE.search(line):
            rates.append((iteration, float(match[1])))
        if match := TRAIN_OUTPUT.search(line):
            train.append((iteration, match[2], float(match[3])))
        if match := TEST_OUTPUT.search(line):
            test.append((iteration, match[2], float(match[3])))
    assert train == [(i, "loss", float(f"{record.losses[i]:g}")) for i in range(0, 12, 2)]
    assert rates == [(i, float(f"{0.1 * (1 + 0.01 * i) ** -0.75:g}")) for i in range(0, 12, 2)]
    expected = []
    for at, _, _, (accuracy, loss) in record.scores:
        expected += [(at, "accuracy", float(f"{accuracy:g}")), (at, "loss", float(f"{loss:g}"))]
    assert test == expected


def test_snapshots_in_hdf5(project):
    pytest.importorskip("h5py")
    project.write("snapshot_format: HDF5")
    lines, _ = log_of(project)
    assert lines[(at := lines.index(f"Snapshotting to HDF5 file {project.prefix}_iter_5.caffemodel.h5"))]
    assert lines[at + 1] == f"Snapshotting solver state to HDF5 file {project.prefix}_iter_5.solverstate.h5"


def test_a_test_of_no_batch(project):
    project.write("test_iter: 0 test_compute_loss: true")
    lines, _ = log_of(project)
    at = lines.index("Iteration 4, Testing net (#0)")
    assert lines[at + 1] == "Test loss: nan"
    assert lines[at + 2].startswith("Iteration 4 (")


def test_the_end_of_a_run(project):
    project.write("average_loss: 1")
    lines, record = log_of(project)
    (accuracy, loss), last_look = record.scores[-1][3], lines[-6]
    assert lines[-8:] == [
        f"Snapshotting to binary proto file {project.prefix}_iter_12.caffemodel",
        f"Snapshotting solver state to binary proto file {project.prefix}_iter_12.solverstate",
        last_look,
        "Iteration 12, Testing net (#0)",
        f"    Test net output #0: accuracy = {accuracy:g}",
        f"    Test net output #1: loss = {loss:g} (* 1 = {loss:g} loss)",
        "Optimization Done.",
        "Optimization Done.",
    ]
    assert last_look == f"Iteration 12, loss = {record.look:g}"


def test_the_log_of_a_stopped_run(project):
    lines, _ = log_of(project, stop_at=3)
    assert lines[-4:] == [
        f"Snapshotting to binary proto file {project.prefix}_iter_3.caffemodel",
        f"Snapshotting solver state to binary proto file {project.prefix}_iter_3.solverstate",
        "Optimization stopped early.",
        "Optimization Done.",
    ]


def test_the_log_of_a_run_stopped_in_its_last_test(project):
    class Stop(Hook):
        def testing(self, run, index):
            if run.iteration == 12:
                run.stopped = "SIGINT"

    lines, _ = log_of(project, Stop())
    assert lines[-3:] == ["Test interrupted.", "Optimization Done.", "Optimization Done."]


def test_the_pace_of_a_resumed_run_is_its_own(project):
    class Begin(Hook):
        order = Order.GUARD

        def begin(self, run):
            run.iteration = 8

    lines, _ = log_of(project, Begin())
    assert next(line.split("iter/s")[0] for line in lines if "iter/s" in line) == "Iteration 8 (0 "


def test_steps_of_the_rate_and_clipping_are_told(project):
    more = "gamma: 0.1 stepvalue: 3 clip_gradients: 0.01 test_compute_loss: true"
    project.write(f"lr_policy: 'multistep' {more}")
    lines, record = log_of(project)
    assert "MultiStep Status: Iteration 3, step = 1" in lines
    assert "Iteration 4, lr = 0.01" in lines
    assert f"Test loss: {record.scores[0][2]:g}" in lines
    clips = [line for line in lines if line.startswith("Gradient clipping")]
    assert len(clips) == 12
    pattern = r"Gradient clipping: scaling down gradients \(L2 norm [\d.e-]+ > 0.01\) by scale factor [\d.e-]+"
    assert re.fullmatch(pattern, clips[0])


def test_a_log_that_can_not_be_written_does_not_end_the_run(tmp_path, caplog):
    journal = Journal()
    journal.say("caffe.cpp:204", "Use CPU.")
    journal.open("/dev/full")
    journal.say("caffe.cpp:204", "Use CPU.")
    journal.close()
    (message,) = [r.getMessage() for r in caplog.records]
    assert message == "/dev/full can't be written (No space left on device); training goes on without it"
