import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from arrays.emulated.no_card import NO_CARD
from netcli.snapshots import newest_state, read_state, read_weights
from training.project import Project


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def start(project, *options, **more):
    """The command as a process of its own."""
    command = [sys.executable, "-m", "netcli", "train", project.solver, *options]
    more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **more}
    return subprocess.Popen(command, cwd=project.folder, text=True, **more)


def until_there(path, process):
    """Until a file is there, and something in it."""
    while not (path.exists() and path.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def run_folder(project, number=1):
    return project.folder / "runs" / f"tiny-{number}"


def test_a_run_from_start_to_end(project, netcli):
    status, out, err = netcli("train", project.solver, "--engine", "plain")
    assert (status, err) == (0, "")
    assert "iteration 12: test accuracy 0." in out
    lines = out.splitlines()[-5:]
    assert lines[0].startswith("trained 12 iterations in ")
    assert [line.split()[0] for line in lines[1:]] == ["weights", "state", "log", "curve"]
    for line in lines[1:]:
        assert os.path.exists(line.split()[1])
    folder = run_folder(project)
    assert sorted(p.name for p in folder.iterdir()) == [
        *("command.txt", "curve.svg", "metrics.jsonl", "net.prototxt", "solver.prototxt", "train.log")
    ]
    assert (folder / "command.txt").read_text() == f"netcli train {project.solver} --engine plain\n"
    assert [json.loads(line)["kind"] for line in (folder / "metrics.jsonl").read_text().splitlines()][:2] == [
        *("test", "train")
    ]
    # What was kept trains the same.
    status, _, err = netcli("train", folder / "solver.prototxt", "--set", "snapshot_prefix=again", "--engine", "plain")
    assert status == 0
    first, second = (read_weights(f"{prefix}_iter_12.caffemodel") for prefix in (project.prefix, "again"))
    for a, b in zip(first.layers, second.layers, strict=True):
        assert all((x == y).all() for x, y in zip(a.blobs, b.blobs, strict=True))


def test_quiet_is_quiet(project, netcli):
    assert netcli("train", project.solver, "--quiet") == (0, "", "")


def test_fields_are_set_and_kept(project, netcli):
    status, _, _ = netcli("train", project.solver, "-q", "--set", "max_iter=3", "--set", "type=Adam")
    assert status == 0
    kept = (run_folder(project) / "solver.prototxt").read_text()
    assert "max_iter: 3" in kept
    assert 'type: "Adam"' in kept
    assert len(read_state(f"{project.prefix}_iter_3.solverstate").history) == 8


def test_a_run_without_a_seed_keeps_the_one_it_was_given(project, netcli):
    project.write(without="random_seed")
    assert netcli("train", project.solver, "-q")[0] == 0
    (line,) = [
        line for line in (run_folder(project) / "solver.prototxt").read_text().splitlines() if "random_seed" in line
    ]
    assert int(line.split()[1]) == read_state(f"{project.prefix}_iter_12.solverstate").run.random_seed


def test_resume_the_newest(project, netcli):
    assert netcli("train", project.solver, "-q", "--set", "max_iter=7")[0] == 0
    status, out, err = netcli("train", project.solver, "--resume")
    assert (status, err) == (0, "")
    assert f"going on from {project.prefix}_iter_7.solverstate, iteration 7" in out
    assert "trained 5 iterations in " in out
    assert "Resuming from" in (run_folder(project, 2) / "train.log").read_text()
    status, out, _ = netcli("train", "--resume", project.solver)  # the other order; nothing is left to do
    assert status == 0
    assert "nothing left to train: iteration 12 of max_iter 12" in out


def test_resume_a_state(project, netcli):
    netcli("train", project.solver, "-q")
    status, out, _ = netcli("train", project.solver, "--resume", f"{project.prefix}_iter_5.solverstate")
    assert status == 0
    assert f"going on from {project.prefix}_iter_5.solverstate, iteration 5" in out
    assert "trained 7 iterations in " in out


def test_a_fresh_run_over_an_earlier_one_is_told_what_resume_would_take(project, netcli):
    netcli("train", project.solver, "-q")
    _, _, err = netcli("train", project.solver, "-q")
    assert err == (
        f"warning: {project.prefix}_iter_12.solverstate is of an earlier run; "
        "--resume without a file goes on from it until this run has a snapshot\n"
    )


def test_resume_goes_on_with_the_run_that_was_begun_last(project, netcli):
    netcli("train", project.solver, "-q")
    netcli("train", project.solver, "-q", "--set", "max_iter=7")
    states = {i: read_state(f"{project.prefix}_iter_{i}.solverstate").run.generation for i in (5, 7, 10, 12)}
    assert states == {5: 1, 7: 1, 10: 0, 12: 0}
    status, out, _ = netcli("train", project.solver, "--resume")
    assert status == 0
    assert "trained 5 iterations in " in out
    assert read_state(f"{project.prefix}_iter_12.solverstate").run.generation == 1


def test_resume_goes_on_with_a_run_that_went_back(project, netcli):
    netcli("train", project.solver, "-q")
    state = f"{project.prefix}_iter_5.solverstate"
    netcli("train", project.solver, "-q", "--resume", state, "--set", "max_iter=7")
    status, out, _ = netcli("train", project.solver, "--resume")
    assert status == 0
    assert "trained 5 iterations in " in out


def test_two_runs_with_one_prefix(project, netcli):
    project.write("max_iter: 1000000 display: 0")
    process = start(project)
    until_there(project.folder / "tiny_iter_10.solverstate", process)
    status, out, err = netcli("train", project.solver, "-q")
    lines = project.solver.read_text().splitlines()
    line = 1 + next(number for number, text in enumerate(lines) if text.startswith("snapshot_prefix"))
    assert (status, out) == (2, "")
    assert err.splitlines()[-1] == (
        f"netcli: {project.solver}:{line}: process {process.pid} is training "
        f"with the snapshot_prefix {project.prefix}: "
        "each would write over the other's; --set snapshot_prefix=... gives another"
    )
    assert netcli("train", project.solver, "-q", "--set", "snapshot_prefix=other", "--set", "max_iter=2")[0] == 0
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert not list(project.folder.glob("*.lock"))


def test_a_solver_from_a_pipe(project, netcli):
    reading, writing = os.pipe()
    os.write(writing, project.solver.read_bytes())
    os.close(writing)
    assert netcli("train", f"/dev/fd/{reading}", "-q")[0] == 0
    os.close(reading)


def test_weights_to_begin_with(project, netcli):
    netcli("train", project.solver, "-q")
    weights = f"{project.prefix}_iter_12.caffemodel"
    os.remove(f"{project.prefix}_iter_12.solverstate")
    os.remove(f"{project.prefix}_iter_10.solverstate")
    os.remove(f"{project.prefix}_iter_5.solverstate")
    project.write(f'weights: "{weights}, {weights}"')
    for options in ([], ["--weights", weights]):
        assert netcli("train", project.solver, "-q", "--set", "max_iter=0", *options)[0] == 0
    log = (run_folder(project, 2) / "train.log").read_text()
    assert log.count(f"Finetuning from {weights}") == 2
    assert (run_folder(project, 3) / "train.log").read_text().count("Finetuning from") == 1


def test_weights_beside_the_solver_are_found_from_elsewhere(project, netcli, monkeypatch, tmp_path_factory):
    """As its nets are; and the solver that is kept has the paths that were found."""
    netcli("train", project.solver, "-q", "--set", "max_iter=1")
    project.write('weights: "tiny_iter_1.caffemodel" test_net: "net.prototxt"')
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    status, _, err = netcli("train", project.solver, "-q", "--set", "max_iter=1", "--set", "snapshot_prefix=other")
    assert (status, err) == (0, "")
    kept = Path("runs/tiny-1/solver.prototxt").read_text()
    assert f'weights: "{project.folder}/tiny_iter_1.caffemodel"' in kept
    assert f'test_net: "{project.folder}/net.prototxt"' in kept


def test_weights_of_which_none_are_taken(project, netcli):
    netcli("train", project.solver, "-q", "--set", "max_iter=1")
    text = project.net.read_text()
    project.net.write_text(text.replace('"ip1"', '"new1"').replace('"ip2"', '"new2"'))
    options = ("--weights", "tiny_iter_1.caffemodel", "--set", "max_iter=1", "--set", "snapshot_prefix=other")
    _, _, err = netcli("train", project.solver, "-q", *options)
    assert err == "warning: tiny_iter_1.caffemodel has no weights for any layer of net 'tiny'\n"
    project.net.write_text(text.replace('"ip2"', '"new2"'))
    assert netcli("train", project.solver, "-q", *options)[2].startswith("warning: other_iter_1.solverstate is of an")


def test_a_stop_with_nothing_to_go_on_from_promises_nothing(project):
    project.write("max_iter: 1000000 snapshot: 0 snapshot_after_train: false")
    process = start(project, "--sigint-effect", "none")
    until_there(run_folder(project) / "metrics.jsonl", process)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert re.search(r"^stopped by SIGTERM at iteration \d+ of 1000000$", out, re.MULTILINE)


def test_gpu_mode_runs_on_the_cpu_and_says_so(project, netcli):
    project.write("solver_mode: GPU")
    status, out, _ = netcli("train", project.solver)
    assert status == 0
    assert out.startswith("solver_mode: GPU runs on the CPU")


@pytest.mark.parametrize("words", [("summary",), ("time", "--iterations", "1"), ("summary", "--json")])
def test_numbers_of_the_cpu_where_a_gpu_is_asked_for_say_so(project, netcli, words):
    project.write("solver_mode: GPU")
    status, _, err = netcli(words[0], project.solver, *words[1:])
    assert status == 0
    assert err.startswith("warning: solver_mode: GPU runs on the CPU: ")
    assert netcli(words[0], project.solver, *words[1:], "--engine", "plain")[2] == ""


def test_caffes_lines_on_stderr(project, netcli):
    status, out, err = netcli("train", project.solver, "--log-to-stderr")
    assert (status, out) == (0, "")
    assert err == (run_folder(project) / "train.log").read_text()


WRONG = [
    ("", "Error: Missing argument 'SOLVER'."),
    ("none.prototxt", "netcli: none.prototxt: there is no such file"),
    ("net.prototxt", "netcli: net.prototxt: is a net, and train takes a solver prototxt"),
    ("SOLVER --gpu 0", f"netcli: {NO_CARD}"),
    ("SOLVER --gpu 0,1", "Error: Invalid value for '--gpu': '0,1' is not the number of one card, such as 0; "),
    ("SOLVER --gpu 0 --engine plain", "netcli: --engine plain is NumPy's, on the CPU: leave it out, or --gpu"),
    ("SOLVER --precision tf32", "netcli: --precision tf32 is a card's: give --gpu, or f32"),
    ("SOLVER --set base_rl=1", "netcli: --set base_rl=1: a solver has no field 'base_rl'; did you mean 'base_lr'?"),
    ("SOLVER --set max_iter=-1", "netcli: --set max_iter=-1: max_iter is at least 0 (iterations), got -1"),
    ("SOLVER --set base_lr=nan", "netcli: --set base_lr=nan: base_lr is nan, with which there is no training"),
    ("SOLVER --set momentum=inf", "netcli: --set momentum=inf: momentum is inf, with which there is no training"),
    ("SOLVER --set lr_policy=step", 'netcli: --set lr_policy=step: lr_policy "step" needs stepsize'),
    ("SOLVER --set type=Adaam", "netcli: --set type=Adaam: there is no solver type 'Adaam'; did you mean 'Adam'?"),
    ("SOLVER --set test_interval=0", "netcli: --set test_interval=0: test_iter needs a test_interval above 0, got 0"),
    ("SOLVER --set snapshot_prefix=no/x", "netcli: --set snapshot_prefix=no/x: snapshots can't be written: "),
    ("SOLVER --set net=none.prototxt", "netcli: --set net=none.prototxt: there is no net file none.prototxt"),
    ("SOLVER --weights w --resume", "netcli: give --weights to begin with weights or --resume to go on "),
    ("SOLVER --weights x.solverstate", "netcli: x.solverstate: is a solver state: go on from it with --resume"),
    ("SOLVER --weights none", "netcli: none: "),
    ("SOLVER --resume x.caffemodel", "netcli: x.caffemodel: holds weights alone: begin with them by --weights"),
    ("SOLVER --resume none", "netcli: none: "),
    ("SOLVER --resume x.solverstate.h5", "netcli: x.solverstate.h5: there is no such solver state"),
    ("SOLVER --resume", "netcli: there is no whole snapshot "),
    ("SOLVER --run-dir net.prototxt", "netcli: net.prototxt: the run's folder can't be written: "),
    ("SOLVER --threads 0", "Error: Invalid value for '--threads': 0 is not in the range x>=1."),
]


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=[arguments for arguments, _ in WRONG])
def test_faults_are_one_sentence_and_status_2(project, netcli, arguments, message):
    status, out, err = netcli("train", *[project.solver if a == "SOLVER" else a for a in arguments.split()])
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(message)
    assert "Traceback" not in err
    assert not (project.folder / "runs").exists()


def test_a_solver_that_leaves_max_iter_to_its_program(project, netcli):
    project.write(without="max_iter")
    _, _, err = netcli("train", project.solver)
    assert err == f"netcli: {project.solver}: the solver needs max_iter, its iterations; --set gives one\n"
    assert netcli("train", project.solver, "-q", "--set", "max_iter=1")[0] == 0


def test_a_folder_that_can_not_be_written_for_snapshots(project, netcli):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (project.folder / "locked").mkdir(mode=0o500)
    status, _, err = netcli("train", project.solver, "--set", "snapshot_prefix=locked/net")
    assert status == 2
    assert err.endswith("snapshots can't be written: locked/net_iter_*: Permission denied\n")


def told(err):
    """What a process said on stderr beside the warning of a machine without oneDNN."""
    return "".join(line for line in err.splitlines(keepends=True) if not line.startswith("warning: oneDNN can't be"))


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_stop_by_a_signal(project, name, status):
    project.write("max_iter: 1000000 display: 0")
    process = start(project)
    until_there(project.folder / "tiny_iter_10.solverstate", process)
    process.send_signal(signal.Signals[name])
    out, err = process.communicate(timeout=60)
    assert (process.returncode, told(err)) == (status, "")
    state = newest_state(str(project.prefix))
    assert f"stopped by {name} at iteration {read_state(state).iteration} of 1000000; --resume goes on" in out
    assert state in out


def test_a_second_interrupt_ends_at_once_with_a_word(project, netcli, monkeypatch):
    def update(run):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("netcli.training.trainer.Trainer.update", update)
    status, _, err = netcli("train", project.solver, "-q")
    assert (status, err.strip()) == (130, "netcli: stopped at once by a second SIGINT, without a snapshot")
    assert not list(project.folder.glob("tiny_iter_*"))


def test_a_full_disk(project):
    """The largest file allowed is smaller than a snapshot: the last one is lost, and that is an error."""
    text = project.net.read_text().replace("num_output: 8", "num_output: 2000")
    project.net.write_text(text)
    project.write("snapshot: 0 max_iter: 2")

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    process = start(project, "--quiet", preexec_fn=limit)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert told(err) == f"netcli: {project.prefix}_iter_2.caffemodel: can't be written: file too large\n"
    assert not list(project.folder.glob("tiny_iter*"))


def test_a_terminal_sees_a_line_that_is_rewritten(project):
    ours, theirs = pty.openpty()
    project.write("max_iter: 400 display: 0 test_interval: 200")
    process = start(project, stdout=theirs)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end has been closed
            break
        if not part:
            break
        seen += part
    os.close(ours)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"\r\x1b[Ktiny  " in seen
    assert b" it/s  " in seen
    assert b"images/s" in seen
    assert seen.decode().splitlines()[-1].strip().startswith("curve")


def test_a_reader_that_goes_away_does_not_end_the_run(project):
    process = start(project)
    process.stdout.close()
    err = process.stderr.read()
    process.stderr.close()
    assert (process.wait(timeout=60), told(err)) == (0, "")
    assert (project.folder / "tiny_iter_12.caffemodel").exists()


def test_a_loss_that_is_no_number(project, netcli):
    project.write("base_lr: 1e38 test_interval: 100")
    status, _, err = netcli("train", project.solver, "-q")
    assert status == 2
    assert err.startswith("netcli: the loss is nan at iteration ")
    assert "is not finite" in err
    assert err.strip().split("netcli: ", 1)[1] in (run_folder(project) / "train.log").read_text()
    assert netcli("train", project.solver, "-q", "--nan-effect", "warn")[0] == 0
