"""Interleaved training iterations and inferences of netcli and its peers; see README.md here."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tools.bench.caffe_side import CaffeError, CaffeSide
from tools.bench.cases import ALL, CASES, ROOT, WORK, Case, side_environment
from tools.bench.report import Result, table
from tools.bench.sides import ProcessSide, Side, SideError

SHORT = ["lenet", "alexnet", "mobilenet"]
NETCLI = ["netcli", "netcli bf16", "netcli plain", "netcli pycaffe"]
TORCH = ["torch eager", "torch channels_last", "torch compile", "torch bf16"]
USUAL = ["netcli", *TORCH[:3], "caffe"]


@dataclass
class Choices:
    """What the command line says.

    sides    by name, the first one first in the ratios
    turns    of each side
    seconds  that a turn of the first side takes at least
    """

    sides: list[str]
    turns: int
    seconds: float
    torch_python: str
    caffe: str


def machine() -> str:
    """The processor, its widest vectors, cores, and how busy it is before anything runs here."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    vectors = [flag for flag in ("avx512f", "avx512_bf16", "amx_tile", "avx2") if flag in flags]
    name = f"{names[0] if names else platform.processor()} ({' '.join(vectors[:3])})"
    return f"{name}, {len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.2f}  {platform.system()}"


def has_torch(python: str) -> bool:
    return subprocess.run([python, "-c", "import torch"], capture_output=True, check=False).returncode == 0


def start(name: str, case: Case, work: str, choices: Choices, folder: Path) -> Side:
    if name == "caffe":
        return CaffeSide(choices.caffe, folder, work)
    if name in TORCH:
        return ProcessSide("torch_side", name, case.name, work, python=choices.torch_python)
    return ProcessSide("netcli_side", name, case.name, work)


@contextmanager
def started(case: Case, work: str, choices: Choices, results: dict[str, Result]) -> Iterator[dict[str, Side]]:
    """The sides that start; why others don't goes into their results."""
    sides: dict[str, Side] = {}
    with tempfile.TemporaryDirectory() as folder:
        if "caffe" in choices.sides:
            write = [sys.executable, "-m", "tools.bench.documents", case.name, work, folder]
            subprocess.run(write, cwd=ROOT, env=side_environment(), check=True, stdout=subprocess.DEVNULL)
        try:
            for name in choices.sides:
                with noting(results[name]):
                    sides[name] = start(name, case, work, choices, Path(folder))
            yield sides
        finally:
            for side in sides.values():
                side.close()


@contextmanager
def noting(result: Result) -> Iterator[None]:
    """A fault of a side is told in its line; the others go on."""
    try:
        yield
    except (SideError, CaffeError) as fault:
        result.fault = str(fault)


def steps_in(seconds: float, turn: Callable[[int], float]) -> int:
    """Steps that take at least so long."""
    steps = 1
    while (took := turn(steps)) < seconds:
        steps = max(2 * steps, round(steps * seconds / max(took, 1e-6)))
    return steps


def compare(case: Case, work: str, choices: Choices) -> tuple[list[str], dict[str, str]]:
    """The table of a case, as lines, and the versions met."""
    results = {name: Result() for name in choices.sides}
    versions: dict[str, str] = {}
    peaks: list[float] = []
    peak = ProcessSide("peak")
    with started(case, work, choices, results) as sides:
        first = sides.get(choices.sides[0])
        if first is None:
            raise SystemExit(f"{case.name}, {work}: {choices.sides[0]} {results[choices.sides[0]].fault}")
        for name, side in sides.items():
            versions.update(side.facts["versions"])
            counted = side.facts.get("parameters", first.facts["parameters"])
            if counted != first.facts["parameters"]:
                raise SystemExit(f"{case.name}: {name} has {counted:,} parameters for {first.facts['parameters']:,}")
        steps = steps_in(choices.seconds, first.turn)
        few = steps_in(choices.seconds / 3, peak.turn)
        for _ in range(choices.turns):
            peaks.append(few * peak.facts["flop"] / peak.turn(few) / 1e9)
            for name, side in sides.items():
                if not results[name].fault:
                    with noting(results[name]):
                        results[name].times.append(1000 * side.turn(steps) / steps)
        for name, side in sides.items():
            results[name].flop = first.facts["flop"]
            results[name].peak, results[name].imports = side.peak, side.facts["imports"]
    peak.close()
    kind = "training iterations" if work == "train" else "inferences"
    title = f"{case.name}, batch {case.images(work)}: {kind}, {choices.turns} turns of {steps}; "
    title += f"{first.facts['flop'] / 1e9:.4g} GFLOP each, {first.facts['parameters']:,} parameters"
    return [title, *table(results, peaks)], versions


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--net", choices=list(CASES), action="append", help=f"default: {', '.join(SHORT)}")
    parser.add_argument("--all", action="store_true", help="every net")
    parser.add_argument("--work", choices=list(WORK), action="append", help="default: train; with --all every kind")
    parser.add_argument("--side", choices=[*NETCLI, *TORCH, "caffe"], action="append", help="default: those at hand")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.25, help="of a turn of the first side, at least")
    parser.add_argument("--torch-python", default=sys.executable, metavar="PATH", help="a Python that has torch")
    parser.add_argument("--caffe", default="", metavar="PATH", help="the program of a build of Caffe")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write what is printed, too")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    wanted = given.side or USUAL
    torch = has_torch(given.torch_python)
    at_hand = [s for s in wanted if (s not in TORCH or torch) and (s != "caffe" or given.caffe)]
    choices = Choices(at_hand, given.turns, given.seconds, given.torch_python, given.caffe)
    cases = ALL if given.all else [CASES[name] for name in given.net or SHORT]
    works = given.work or (list(WORK) if given.all or not any(case.batch for case in cases) else ["train"])
    head = f"{datetime.date.today()}  {machine()}  Python {platform.python_version()}"
    lines = [head]
    print(head, flush=True)
    versions: dict[str, str] = {}
    for case in cases:
        for work in works:
            if not case.does(work):
                continue
            found, met = compare(case, work, choices)
            versions.update(met)
            lines += ["", *found]
            print("\n" + "\n".join(found), flush=True)
    last = "  ".join(f"{name} {version}" for name, version in versions.items())
    print("\n" + last)
    lines[1:1] = [last]
    if given.out:
        given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
