"""How much memory a side takes.

A side's peak is the high-water mark of its resident memory (VmHWM; of programs that are run for each turn,
ru_maxrss), less what was resident once its libraries were imported and before its net was made.  Libraries loaded
later count as the side's.
"""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {field}")


def resident() -> int:
    """Bytes of this process that are resident now."""
    return _status("VmRSS")


def peak() -> int:
    """The most bytes of this process that were resident at once, so far."""
    return _status("VmHWM")


def run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[int, str, int]:
    """Run a program to its end: its exit status, what it wrote, and its peak in bytes.

    The system counts from the fork on, so that the peak is never below that of this process.
    """
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        text = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, text, _bytes(usage)


def _bytes(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss * 1024
