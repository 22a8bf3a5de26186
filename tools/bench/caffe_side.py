"""BVLC Caffe's side: its own program on the same net, run anew for each turn.

To train, `caffe train` with the solver of the net's folder: the time between two of the lines that it displays, which
holds whole iterations, updates too.  To infer, the forward pass of `caffe time`.  Both leave out what they take to
begin, and the first iteration.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from tools.bench import memory
from tools.bench.cases import side_environment

TRAINED = re.compile(r"Iteration (\d+) \([^,]*, ([\d.e+-]+)s/(\d+) iters\)")
FORWARD = re.compile(r"Average Forward pass: ([\d.e+-]+) ms")


class CaffeError(Exception):
    """Caffe did not run."""


def trained_seconds(text: str, steps: int) -> float:
    """Of what `caffe train` wrote: seconds of the last `steps` iterations displayed."""
    found = TRAINED.findall(text)
    if not found or int(found[-1][2]) != steps:
        raise CaffeError(f"there is no line of {steps} iterations in what caffe train wrote: {text[-500:]}")
    return float(found[-1][1])


def forward_seconds(text: str) -> float:
    """Of what `caffe time` wrote: seconds of a forward pass."""
    found = FORWARD.search(text)
    if not found:
        raise CaffeError(f"there is no forward pass in what caffe time wrote: {text[-500:]}")
    return float(found[1]) / 1000


class CaffeSide:
    """Runs on the files that tools.bench.documents has written into a folder."""

    def __init__(self, program: str, folder: Path, work: str) -> None:
        self.program, self.folder, self.work = program, folder, work
        self.environment = {**side_environment(), "GLOG_logtostderr": "1"}
        status, text, imports = memory.run([program], self.environment)
        if "caffe" not in text:
            raise CaffeError(f"{program} ends with {status}: {text[-200:]}")
        self.facts: dict[str, Any] = {"imports": imports, "versions": {}}
        self.peak = 0

    def turn(self, steps: int) -> float:
        """Seconds that so many steps take."""
        if self.work == "train":
            text = self._run("train", "-solver", str(self._solver(steps)))
            return trained_seconds(text, steps)
        net = str(self.folder / "net.prototxt")
        return steps * forward_seconds(self._run("time", "-model", net, "-phase", "TEST", "-iterations", str(steps)))

    def _solver(self, steps: int) -> Path:
        # Lines are displayed at iterations 0, steps and twice that; the last one's time is all warm.
        text = (self.folder / "solver.prototxt").read_text()
        kept = [line for line in text.splitlines() if not line.startswith(("display:", "max_iter:"))]
        path = self.folder / f"solver_{steps}.prototxt"
        path.write_text("\n".join([*kept, f"display: {steps}", f"max_iter: {2 * steps + 1}", ""]))
        return path

    def _run(self, *arguments: str) -> str:
        status, text, peak = memory.run([self.program, *arguments], self.environment)
        if status:
            raise CaffeError(f"caffe {arguments[0]} ends with {status}: {text[-500:]}")
        self.peak = max(self.peak, peak)
        return text

    def close(self) -> None:
        pass
