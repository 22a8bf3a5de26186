"""Databases of images: netcli's convert-images beside Caffe's convert_imageset, whole commands, in turn.

python -m tools.bench.convert --caffe CONVERT_IMAGESET --root FOLDER --list FILE [--size 256] [--out FILE]
"""

from __future__ import annotations

import argparse
import datetime
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.bench.__main__ import machine
from tools.bench.cases import ROOT, side_environment
from tools.bench.report import spread


def seconds(command: list[str], database: Path) -> float:
    shutil.rmtree(database, ignore_errors=True)
    start = time.perf_counter()
    subprocess.run(command, check=True, cwd=ROOT, env=side_environment(), capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--caffe", required=True, metavar="PATH", help="the program convert_imageset")
    parser.add_argument("--root", required=True)
    parser.add_argument("--list", type=Path, required=True)
    parser.add_argument("--size", type=int, help="both sides are resized to this")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    root, list_file = f"{Path(given.root).resolve()}/", str(given.list.resolve())
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = Path(folder, "netcli"), Path(folder, "caffe")
        resized = [f"--resize-width={given.size}", f"--resize-height={given.size}"] if given.size else []
        options = [option.replace("--resize-", "-resize_") for option in resized]
        commands = {
            "netcli": [sys.executable, "-m", "netcli", "convert-images", *resized, root, list_file, str(ours)],
            "caffe": [given.caffe, "-backend=lmdb", *options, root, list_file, str(theirs)],
        }
        times: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(given.turns):
            for name, command in commands.items():
                times[name].append(seconds(command, ours if name == "netcli" else theirs))
    images = len(Path(list_file).read_text().splitlines())
    lines = [
        f"{datetime.date.today()}  {machine()}  Python {platform.python_version()}",
        f"{images} images{f', to {given.size}x{given.size}' if given.size else ''}, {given.turns} turns",
    ]
    for name, found in times.items():
        low, middle, high = spread(found)
        lines.append(f"  {name:8s} {middle:7.2f} s  ({low:.2f}-{high:.2f})  {images / middle:8.0f} images/s")
    low, middle, high = spread([a / b for a, b in zip(times["netcli"], times["caffe"], strict=True)])
    lines.append(f"  netcli's time by Caffe's: {middle:.2f} ({low:.2f}-{high:.2f})")
    print("\n".join(lines))
    if given.out:
        given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
