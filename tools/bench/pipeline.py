"""Data pipelines beside each other: images a second, from files or a database to batches, with nothing behind.

    python -m tools.bench.pipeline --images FOLDER [--torch-python PYTHON] [--dali-python PYTHON]
        [--ffcv-python PYTHON] [--out FILE]

jpeg  JPEG files to 224x224: a random part resized, a flip, mean and deviation; all cores
coded the same from JPEGs in an LMDB, and in a file of FFCV's, which has encoded them anew
part  the same from the images' pixels there
raw   records of a database of 256x256 pixels, which is made here, to 224x224: a crop, a flip, PCA jitter; one core
train AlexNet's training iterations with images in memory, and from that database; all cores

The sides take turns, as in tools.bench; before each a few batches are taken that are not counted, since every side
makes some ahead.  PyTorch's is a DataLoader over torchvision's transforms on Pillow, with a worker for each core;
DALI's decodes on the CPU.  FFCV reads files of its own alone.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from tools.bench.__main__ import machine
from tools.bench.pipeline_database import make_database, make_list, make_photographs
from tools.bench.report import spread
from tools.bench.sides import ProcessSide, SideError

BATCH = 64
AHEAD = 6  # batches before each turn that are not counted
FFCV_QUALITY = 90  # of its JPEGs; colours at half the rows and columns
WORKS = ("jpeg", "coded", "part", "train", "raw")
SECONDS = 4.0  # of the first side's turn, at least


def started(module: str, arguments: list[str], python: str) -> ProcessSide | str:
    """The side, or why it does not run."""
    try:
        return ProcessSide(module, *arguments, python=python)
    except SideError as fault:
        return str(fault)


def compare(
    starts: Mapping[str, tuple[str, list[str], str]], turns: int, ahead: int = AHEAD
) -> tuple[list[str], list[str]]:
    """starts: module, arguments and Python of each side.  Gives the table's lines, and versions."""
    sides: dict[str, ProcessSide] = {}
    lines, versions = [], []
    for name, (module, arguments, python) in starts.items():
        side = started(module, arguments, python)
        if isinstance(side, str):
            lines.append(f"  {name:28s} did not run: {side}")
        else:
            sides[name] = side
            versions.append(f"{name}: {side.facts['versions']}")
    if not sides:
        return lines, versions
    first = next(iter(sides))
    steps = ahead
    while sides[first].turn(steps) < SECONDS:
        steps *= 2
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(turns):
        for name, side in sides.items():
            side.turn(ahead)
            rates[name].append(BATCH * steps / side.turn(steps))
    for side in sides.values():
        side.close()
    table = [f"  {'side':28s} {'images/s':>10s} {'lowest-highest':>16s}   times the first one's speed"]
    for name, found in rates.items():
        low, middle, high = spread(found)
        ratios = spread([mine / other for mine, other in zip(rates[first], found, strict=True)])
        beside = "" if name == first else f"   1 / {ratios[1]:.2f} ({ratios[0]:.2f}-{ratios[2]:.2f})"
        table.append(f"  {name:28s} {middle:10.0f} {f'{low:.0f}-{high:.0f}':>16s}{beside}")
    return [*table, *lines], versions


class Work(NamedTuple):
    """What is compared: its heading, its sides as `compare` takes them, and batches that are not counted."""

    heading: str
    starts: dict[str, tuple[str, list[str], str]]
    ahead: int = AHEAD


def works(given: argparse.Namespace, folder: Path, cores: int) -> dict[str, Callable[[], Work]]:
    """All that can be compared; what one reads is made in `folder` when it is asked for."""
    images = make_list(given.images.resolve(), folder)
    here = sys.executable

    def ffcv(mode: str) -> dict[str, tuple[str, list[str], str]]:
        start = ("pipeline_ffcv", [mode, str(images), str(cores)], given.ffcv_python)
        return {"FFCV": start} if given.ffcv_python else {}

    def jpeg() -> Work:
        starts = {"netcli": ("pipeline_netcli", ["jpeg", str(images)], here)}
        if given.torch_python:
            starts["torch DataLoader, Pillow"] = ("pipeline_torch", [str(images), str(cores)], given.torch_python)
        if given.dali_python:
            starts["DALI on the CPU"] = ("pipeline_dali", [str(images), str(cores)], given.dali_python)
        return Work(f"{len(images.read_text().splitlines())} files over and over", starts)

    def coded() -> Work:
        database = make_photographs(images, folder, FFCV_QUALITY)
        heading = f"the same images as JPEGs of quality {FFCV_QUALITY}, in a file"
        return Work(heading, {"netcli": ("pipeline_netcli", ["part", str(database)], here), **ffcv("jpg")})

    def part() -> Work:
        database = make_photographs(images, folder)
        heading = "the same images' pixels, in a file that is in memory"
        return Work(heading, {"netcli": ("pipeline_netcli", ["part", str(database)], here), **ffcv("raw")})

    def train() -> Work:
        starts = {
            "in memory": ("pipeline_training", ["memory", ""], here),
            "from the database": ("pipeline_training", ["database", str(make_database(folder))], here),
        }
        return Work(f"AlexNet, batch {BATCH}", starts, 1)

    def raw() -> Work:
        database = str(make_database(folder))
        starts = {
            "netcli": ("pipeline_netcli", ["raw", database], here),
            "netcli, without PCA jitter": ("pipeline_netcli", ["plain", database], here),
            "netcli, NumPy bodies": ("pipeline_netcli", ["numpy", database], here),
        }
        return Work("from an LMDB in memory", starts)

    return {"jpeg": jpeg, "coded": coded, "part": part, "train": train, "raw": raw}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True, help="a folder of JPEGs")
    parser.add_argument("--work", action="append", choices=WORKS, help="may be repeated; default: all")
    parser.add_argument("--torch-python", default="", metavar="PATH", help="a Python that has torch and torchvision")
    parser.add_argument("--dali-python", default="", metavar="PATH", help="a Python that has nvidia-dali")
    parser.add_argument("--ffcv-python", default="", metavar="PATH", help="a Python that has ffcv")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path, metavar="FILE")
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    lines = [f"{datetime.date.today()}  {machine()}  Python {platform.python_version()}"]
    versions: set[str] = set()
    for name in given.work or WORKS:
        own = cores[:1] if name == "raw" else cores
        os.sched_setaffinity(0, own)
        os.environ["OMP_NUM_THREADS"] = str(len(own))
        with tempfile.TemporaryDirectory() as folder:
            work = works(given, Path(folder), len(own))[name]()
            found, more = compare(work.starts, given.turns, work.ahead)
        lines += ["", f"{name}, {len(own)} core{'s' if len(own) > 1 else ''}: {work.heading}", *found]
        versions.update(more)
    lines += ["", *sorted(versions)]
    print("\n".join(lines))
    if given.out:
        given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
