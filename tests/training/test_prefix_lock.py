import os
import signal
import subprocess
import sys

from netcli.training.prefix_lock import PrefixLock


def test_one_at_a_time(tmp_path):
    prefix = str(tmp_path / "net")
    with PrefixLock(prefix) as first:
        assert first.held
        with PrefixLock(prefix) as second:
            assert (second.held, second.other) == (False, os.getpid())
        with PrefixLock(f"{prefix}2") as other:
            assert other.held
    assert list(tmp_path.iterdir()) == []
    with PrefixLock(prefix) as third:
        assert third.held


def test_what_a_killed_run_leaves_behind_locks_nothing(tmp_path):
    program = f"""
import time
from netcli.training.prefix_lock import PrefixLock
with PrefixLock({str(tmp_path / "net")!r}) as lock:
    print(lock.held, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "True\n"
        with PrefixLock(str(tmp_path / "net")) as lock:
            assert (lock.held, lock.other) == (False, process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["net_iter_.lock"]
    with PrefixLock(str(tmp_path / "net")) as lock:
        assert lock.held
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_a_run_that_just_ended_is_not_taken_for_ours(tmp_path, monkeypatch):
    """It is removed between our opening and our locking it."""
    prefix = str(tmp_path / "net")
    removed = []

    def flock(file, operation):
        if not removed:
            removed.append(os.remove(f"{prefix}_iter_.lock"))

    monkeypatch.setattr("fcntl.flock", flock)
    with PrefixLock(prefix) as lock:
        assert lock.held
        assert os.path.exists(lock.path)


def test_a_prefix_that_can_not_be_written_is_told_elsewhere(tmp_path):
    with PrefixLock(str(tmp_path / "none" / "net")) as lock:
        assert lock.held
