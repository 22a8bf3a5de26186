"""Interleaved training iterations of netcli and its peers; see README.md here."""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

from tools.bench.sides import SIDES

STEPS = {"lenet": 40, "alexnet": 1}  # in one turn: about a quarter of a second or more


class Side:
    """A side's process: started, warmed up, and waiting between its turns."""

    def __init__(self, name: str, net: str, images: int) -> None:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        command = [sys.executable, "-m", "tools.bench.sides", name, net, str(images)]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.times: list[float] = []
        if not self.answer().startswith("ready"):
            raise SystemExit(f"{name} did not start")

    def answer(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def turn(self, steps: int) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{steps}\n")
        self.times.append(1000 * float(self.answer()) / steps)


def installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def compare(net: str, images: int, turns: int, names: list[str]) -> list[str]:
    sides = {name: Side(name, net, images) for name in names}
    for _ in range(turns):
        for side in sides.values():
            side.turn(STEPS[net])
    first = sides[names[0]].times
    lines = [f"{net}, batch {images}: training iterations, {turns} turns of {STEPS[net]}"]
    for name, side in sides.items():
        ratios = [a / b for a, b in zip(first, side.times, strict=True)]
        low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
        ms = statistics.median(side.times)
        lines.append(f"  {name:20s} {ms:9.2f} ms   {names[0]} takes {middle:.2f} of it ({low:.2f}-{high:.2f})")
        side.process.kill()
        side.process.wait()
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", choices=sorted(STEPS), action="append")
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--out", type=Path)
    chosen = parser.parse_args()
    torch = installed("torch")
    names = [name for name in SIDES if torch or not name.startswith("torch")]
    packages = [f"{p} {installed(p)}" for p in ("netcli", "onednn-cpu-gomp", "numpy", "torch")]
    cores = len(os.sched_getaffinity(0))
    lines = [
        f"{datetime.date.today()}  {cpu()}, {cores} cores  Python {platform.python_version()}  " + "  ".join(packages)
    ]
    for net in chosen.net or sorted(STEPS):
        # The plain bodies take seconds a step where a net is large.
        sides = [n for n in names if net == "lenet" or n != "netcli plain"]
        lines += compare(net, chosen.images, chosen.turns, sides)
    text = "\n".join(lines)
    print(text)
    if chosen.out:
        chosen.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
