"""The sides of a comparison as the driver sees them: each takes its turn in a process of its own."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from typing import Any, Protocol

from tools.bench.cases import ROOT, side_environment

SETTLE = 0.05  # seconds before a turn, for threads of the side before that still spin


class SideError(Exception):
    """A side did not start, or ended."""


class Side(Protocol):
    """What takes turns.

    facts  imports: bytes resident before the net was made; versions; of most sides parameters, and flop of a step
    peak   the most bytes resident so far
    """

    facts: dict[str, Any]
    peak: int

    def turn(self, steps: int) -> float:
        """Seconds that so many steps take."""

    def close(self) -> None: ...


class ProcessSide:
    """A side that waits in its own process between its turns: a module that calls tools.bench.turns.serve."""

    def __init__(self, module: str, *arguments: str, python: str = sys.executable) -> None:
        self.process = subprocess.Popen(
            [python, "-m", f"tools.bench.{module}", *arguments],
            env=side_environment(),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        self.peak = 0
        try:
            self.facts = self._answer()
        except SideError:
            self.close()
            raise

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SideError(f"ended with status {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def turn(self, steps: int) -> float:
        assert self.process.stdin is not None
        time.sleep(SETTLE)
        with contextlib.suppress(BrokenPipeError):  # that it has ended is told below
            self.process.stdin.write(f"{steps}\n")
        answer = self._answer()
        self.peak = answer["peak"]
        return float(answer["seconds"])

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError), self.process:
            self.process.kill()
