"""A training killed at any instant (SIGKILL) is resumed to the same numbers.

Three times here; NETCLI_KILLS=20 in the environment makes it twenty.
"""

import os
import random
import signal
import subprocess
import sys
import time

import pytest

from netcli.snapshots import newest_state, read_state

KILLS = int(os.environ.get("NETCLI_KILLS", "3"))
ROUNDS = 60  # iterations; with a snapshot after each, most of the time goes into writing files


def start(project, *options):
    command = [sys.executable, "-m", "netcli", "train", project.solver, "--quiet", "--threads", "1", *options]
    return subprocess.Popen(command, cwd=project.folder, stderr=subprocess.PIPE)


def finish(process):
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors.decode()


@pytest.fixture
def reference(project):
    project.write(f"max_iter: {ROUNDS} snapshot: 1")
    finish(start(project))
    weights, state = (f"{project.prefix}_iter_{ROUNDS}.{end}" for end in ("caffemodel", "solverstate"))
    with open(weights, "rb") as w, open(state, "rb") as s:
        return w.read(), s.read()


def clear(project):
    for path in project.folder.glob("tiny_iter_*"):
        path.unlink()


def test_killed_and_resumed(project, reference):
    moments = random.Random(os.environ.get("NETCLI_KILL_SEED", "1"))
    interrupted = 0
    for _ in range(KILLS):
        clear(project)
        process = start(project)
        while newest(project) is None and process.poll() is None:
            time.sleep(0.001)
        time.sleep(moments.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        state = newest_state(str(project.prefix))
        interrupted += read_state(state).iteration < ROUNDS
        finish(start(project, "--resume"))
        with open(f"{project.prefix}_iter_{ROUNDS}.caffemodel", "rb") as weights:
            assert weights.read() == reference[0]
        with open(f"{project.prefix}_iter_{ROUNDS}.solverstate", "rb") as state:
            assert state.read() == reference[1]
        assert not list(project.folder.glob("*.part"))  # what the killed run was writing
    assert interrupted or KILLS < 3, "every run was over before it could be killed"


def newest(project):
    return next(project.folder.glob("tiny_iter_*.solverstate"), None)
