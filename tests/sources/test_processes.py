import functools
import operator
import os
import signal
import subprocess
import sys
import time

import pytest

from netcli.errors import DataError
from netcli.sources import processes
from netcli.sources.processes import AHEAD, in_processes

NAP = 0.005  # seconds, in which workers begin while this process works


def slow_pids(count):
    """Work whose results tell by which process it was done: blocks of a shell's command that takes a while."""
    return [[f"sleep {NAP if i % 3 else 3 * NAP}; echo {i} $PPID"] for i in range(count)]


SHELL = functools.partial(subprocess.check_output, shell=True)


@pytest.mark.parametrize("processes", [1, 2, 4])
def test_results_come_in_order_whoever_does_the_work(processes):
    made = [line.split() for line in in_processes(SHELL, slow_pids(200 * processes), processes)]
    assert [int(number) for number, _ in made] == list(range(200 * processes))
    workers = {int(pid) for _, pid in made}
    assert len(workers) == processes
    assert os.getpid() in workers
    for pid in workers - {os.getpid()}:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_nothing_to_do():
    assert list(in_processes(sum, [], 2)) == []


def test_blocks_are_taken_no_further_ahead_than_told():
    taken = []

    def blocks():
        for i in range(100_000):
            taken.append(i)
            yield [i] * 1000

    found = in_processes(sum, blocks(), 2)
    for i in range(5000):
        assert next(found) == 1000 * i
        assert len(taken) <= i + 1 + 2 * AHEAD
    found.close()


def test_results_and_blocks_larger_than_a_pipe():
    size = 3 << 20
    blocks = [[bytes([i]) * size, b"x"] for i in range(60)]
    for i, result in enumerate(in_processes(b"".join, blocks, 2)):
        assert result == bytes([i]) * size + b"x"


@pytest.mark.parametrize(("work", "how"), [("exit 3", "with status 3"), ("kill -9 $$", "by SIGKILL")])
def test_a_worker_that_ends_is_one_sentence(work, how, monkeypatch):
    """As one does that the system kills for want of memory."""
    code = f"import os; os.execl('/bin/sh', 'sh', '-c', {work!r})"
    python = processes.subprocess.Popen
    monkeypatch.setattr(processes.subprocess, "Popen", lambda command, **rest: python([command[0], "-c", code], **rest))
    with pytest.raises(DataError, match=f"a worker process was ended {how} before its work was done"):
        for _ in in_processes(operator.length_hint, ([i] for i in range(10**8)), 2):
            pass


def test_no_worker_outlives_a_process_that_is_killed(tmp_path):
    """Nor does it say a word."""
    code = f"""
import functools, itertools, subprocess
from netcli.sources.processes import in_processes
shell = functools.partial(subprocess.check_output, shell=True)
for pid in in_processes(shell, ([f"sleep {NAP}; echo $PPID"] for _ in itertools.count()), 3):
    print(int(pid), flush=True)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    pids = set()
    while len(pids) < 3:
        pids.add(int(process.stdout.readline()))
    process.send_signal(signal.SIGKILL)
    _, words = process.communicate()
    assert words == ""
    until = time.monotonic() + 20
    while any(map(_runs, pids)):
        assert time.monotonic() < until
        time.sleep(0.01)


def _runs(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
