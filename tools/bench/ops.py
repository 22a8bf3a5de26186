"""What holds a net back: the time of each of its layers, beside PyTorch's for the same one.

    python -m tools.bench.ops --net alexnet --torch-python PATH

netcli's times are those of `netcli time`; PyTorch's are of each layer alone.  They are not interleaved.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.bench.cases import CASES, ROOT, WORK, side_environment


@dataclass
class Row:
    """Milliseconds of a layer, or of a type's layers together: (forward, backward) of netcli, and of PyTorch twice.

    torch  eager and channels_last; None: there is no such layer of PyTorch's here
    flop   of its passes
    """

    name: str
    type: str
    flop: float
    netcli: tuple[float, float]
    torch: list[tuple[float, float]] | None

    def line(self) -> str:
        both = sum(self.netcli)
        speed = f"{self.flop / both / 1e6:8.3g}" if self.flop and both else " " * 8
        cells = [*self.netcli, *(x for pair in self.torch for x in pair)] if self.torch else list(self.netcli)
        best = min(sum(pair) for pair in self.torch) if self.torch else 0
        ratio = f"{both / best:8.2f}" if best else ""
        return f"{self.name:28s} {self.type:16s} {speed}" + "".join(f"{x:10.3f}" for x in cells) + ratio


HEAD = (
    f"{'layer':28s} {'type':16s} {'GFLOP/s':>8s}{'forward':>10s}{'backward':>10s}"
    f"{'torch f':>10s}{'b':>10s}{'ch.last f':>10s}{'b':>10s}{'ratio':>8s}"
)


def by_type(rows: Sequence[Row]) -> list[Row]:
    """A row for each type, the one that takes longest first; PyTorch's where it has all of them."""
    sums = []
    for kind in dict.fromkeys(row.type for row in rows):
        found = [row for row in rows if row.type == kind]
        torch = [row.torch for row in found if row.torch]
        sums.append(
            Row(
                f"{len(found)} of",
                kind,
                sum(row.flop for row in found),
                _sum(row.netcli for row in found),
                [_sum(each[i] for each in torch) for i in range(2)] if len(torch) == len(found) else None,
            )
        )
    return sorted(sums, key=lambda row: -sum(row.netcli))


def _sum(pairs: Any) -> tuple[float, float]:
    forward, backward = zip(*pairs, strict=True)
    return sum(forward), sum(backward)


def run(python: str, *arguments: str, text: str = "") -> Any:
    """What a module prints, which is JSON."""
    done = subprocess.run(
        [python, "-m", *arguments], input=text, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=side_environment()
    )
    if done.returncode:
        raise SystemExit(f"{arguments[0]} ended with status {done.returncode}")
    return json.loads(done.stdout)


def measure(name: str, work: str, steps: int, torch_python: str) -> list[Row]:
    train = work == "train"
    with tempfile.TemporaryDirectory() as folder:
        layers = run(sys.executable, "tools.bench.documents", name, work, folder)
        phase = "TRAIN" if train else "TEST"
        net = str(Path(folder, "net.prototxt"))
        timed = run(sys.executable, "netcli", "time", net, "--json", "--phase", phase, "--iterations", str(steps))
    peer = None
    if torch_python:
        peer = run(torch_python, "tools.bench.torch_ops", work, str(steps), text=json.dumps(layers))
    rows = []
    for i, (layer, found) in enumerate(zip(layers, timed["layers"], strict=True)):
        passes = 2 + layer["data_gradient"] if train else 1
        torch = [(f, b) for f, b in peer[i]] if peer and peer[i] else None
        flop = 2.0 * passes * layer["multiply_adds"]
        rows.append(Row(found["name"], found["type"], flop, (found["forward_ms"], found["backward_ms"]), torch))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", choices=list(CASES), required=True)
    parser.add_argument("--work", choices=list(WORK), default="train")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--torch-python", default="", metavar="PATH", help="a Python that has torch; else without")
    given = parser.parse_args()
    rows = measure(given.net, given.work, given.steps, given.torch_python)
    print(HEAD)
    for row in [*rows, *by_type(rows)]:
        print(row.line())
    print(Row("all", "", sum(row.flop for row in rows), _sum(row.netcli for row in rows), None).line())


if __name__ == "__main__":
    main()
