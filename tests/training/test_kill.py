"""A training killed at any instant (SIGKILL) is resumed to the same numbers.

Three times here in each format; NETCLI_KILLS=20 in the environment makes it twenty.
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


def last(project):
    """What the last snapshot's two files hold."""
    ends = (("caffemodel", "solverstate"), ("caffemodel.h5", "solverstate.h5"))
    files = [[project.folder / f"{project.prefix}_iter_{ROUNDS}.{end}" for end in both] for both in ends]
    (written,) = [[file.read_bytes() for file in both] for both in files if both[0].exists()]
    return written


@pytest.fixture(params=["BINARYPROTO", "HDF5"])
def reference(project, request):
    project.write(f"max_iter: {ROUNDS} snapshot: 1 snapshot_format: {request.param}")
    finish(start(project))
    return last(project)


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
        assert last(project) == reference
        assert not list(project.folder.glob("*.part"))  # what the killed run was writing
    assert interrupted or KILLS < 3, "every run was over before it could be killed"


def newest(project):
    files = project.folder.glob("tiny_iter_*.solverstate*")
    return next((file for file in files if file.suffix != ".part"), None)
