"""Signals that come while oneDNN computes."""

import subprocess
import sys
from pathlib import Path

import pytest

from netcli.arrays.onednn.library import library
from netcli.arrays.unsupported import Unsupported

ROOT = Path(__file__).resolve().parents[2]

# LeNet learns under some thousand signals a second.  A frame written into the heap is noticed by the C library, which
# aborts, as it does within a second or two where handlers have no stack of their own.
PROGRAM = """
import signal, time
from tools.bench.cases import CASES
from tools.bench.netcli_side import direct
step, _ = direct(CASES["lenet"], "train", "auto")
count = 0
def handler(*_):
    global count
    count += 1
signal.signal(signal.SIGALRM, handler)
signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
end = time.monotonic() + 4
while time.monotonic() < end:
    step()
signal.setitimer(signal.ITIMER_REAL, 0)
assert count > 100, count
"""


def test_a_signal_writes_over_nothing():
    try:
        library()
    except Unsupported as reason:
        pytest.skip(str(reason))
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
