"""Training iterations on a card beside PyTorch's; see README.md here.

    python -m tools.bench.gpu [--gpu ID] --torch-python PYTHON [--out FILE]
    python -m tools.bench.gpu --images FOLDER --torch-python PYTHON    # from JPEGs, end to end

With --images netcli reads an LMDB that is made of the JPEGs below the folder, PyTorch the files by a DataLoader.
Where there is no card it says so, and ends with status 2.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from netcli.arrays.cuda.card import count
from netcli.errors import NetcliError
from tools.bench.__main__ import has_torch, machine, noting, steps_in
from tools.bench.cases import ROOT, Case, case_of
from tools.bench.pipeline_database import make_list
from tools.bench.report import Result, ratio, spread
from tools.bench.sides import ProcessSide

NETS = ["alexnet:256", "alexnet:1024", "caffenet:256", "googlenet:128", "vgg16:64", "resnet50:128", "lenet:64"]
PRECISIONS = ["tf32", "bf16", "f32"]
KINDS = ["eager", "reduce-overhead", "max-autotune"]  # of PyTorch's sides
AHEAD = 8  # iterations before a turn that are not counted, where batches are made ahead
GIB = 1 << 30


@dataclass
class Choices:
    """What the command line says.

    card     its number
    torch    a Python that has it; "": none is compared
    kinds    of PyTorch's sides
    turns    of each side
    seconds  that a turn of netcli's takes at least
    sources  of images: netcli's LMDB and PyTorch's list; empty: they are on the card
    """

    card: int
    torch: str
    kinds: list[str]
    turns: int
    seconds: float
    sources: Sequence[Path] = ()


def need(number: int) -> None:
    """Raise NetcliError where card `number` is missing."""
    found = count()
    if number >= found:
        raise NetcliError(f"there is no card {number}: this machine has {found}")


def start(name: str, net: str, precision: str, choices: Choices) -> ProcessSide:
    given = [str(choices.card), precision]
    sources = [str(path) for path in choices.sources]
    if name == "netcli":
        return ProcessSide("gpu_netcli", *given, net, *sources[:1])
    return ProcessSide("gpu_torch", *given, name.removeprefix("torch "), net, *sources[1:], python=choices.torch)


def compare(net: str, precision: str, choices: Choices) -> tuple[list[str], dict[str, str]]:
    """The table of a net in a precision, as lines, and the versions met."""
    case = case_of(net)
    names = ["netcli", *(f"torch {kind}" for kind in choices.kinds if choices.torch)]
    results = {name: Result() for name in names}
    sides: dict[str, ProcessSide] = {}
    versions: dict[str, str] = {}
    rates: list[float] = []
    ahead = AHEAD if choices.sources else 0
    with ExitStack() as stack:
        for name in names:
            with noting(results[name]):
                sides[name] = side = stack.enter_context(closing(start(name, net, precision, choices)))
                versions.update(side.facts["versions"])
        first = sides.get("netcli")
        if first is None:
            return [f"{net}, {precision}: netcli {results['netcli'].fault}"], versions
        multiplier = stack.enter_context(closing(start("products", net, precision, choices))) if choices.torch else None
        for name, side in sides.items():
            counted = side.facts["parameters"]
            if counted != first.facts["parameters"]:
                raise NetcliError(f"{net}: {name} has {counted:,} parameters for {first.facts['parameters']:,}")
        steps = steps_in(choices.seconds, first.turn)
        few = steps_in(choices.seconds / 3, multiplier.turn) if multiplier is not None else 0
        for _ in range(choices.turns):
            if multiplier is not None:
                rates.append(few * multiplier.facts["flop"] / multiplier.turn(few) / 1e12)
            for name, side in sides.items():
                if not results[name].fault:
                    with noting(results[name]):
                        if ahead:
                            side.turn(ahead)
                        results[name].times.append(1000 * side.turn(steps) / steps)
        for name, side in sides.items():
            results[name].flop = first.facts["flop"]
            results[name].peak, results[name].imports = side.peak, side.facts["imports"]
        card = str(first.facts["card"])
    title = (
        f"{case.name}, batch {case.batch}, {precision}, {card}: training iterations, {choices.turns} turns of {steps}"
    )
    title += f"; {first.facts['flop'] / 1e12:.4g} TFLOP each, {first.facts['parameters']:,} parameters"
    return [title, *table(results, case, rates)], versions


def table(results: Mapping[str, Result], case: Case, rates: Sequence[float]) -> list[str]:
    """A line for each side; netcli's time, the first one's, is divided by each.

    rates  TFLOP/s of matrix products, turn by turn; empty: not measured
    """
    first = next(iter(results.values()))
    head = ("side", "median ms", "ratio", "images/s", "TFLOP/s", "of rate", "GiB")
    lines = ["  {:24s} {:>10s}  {:18s} {:>9s} {:>8s} {:>8s} {:>7s}".format(*head)]
    rate = statistics.median(rates) if rates else 0.0
    for name, result in results.items():
        if result.fault or first.fault:
            lines.append(f"  {name:24s} {'did not run: ' + result.fault if result.fault else 'was not compared'}")
            continue
        low, middle, high = ratio(first, result)
        ratios = f"{middle:.2f} ({low:.2f}-{high:.2f})" if result is not first else ""
        images, speed = 1000 * case.batch / result.median, result.gflops() / 1000
        share = f"{100 * speed / rate:.0f} %" if rate else ""
        held = (result.peak - result.imports) / GIB
        lines.append(
            f"  {name:24s} {result.median:10.3f}  {ratios:18s} {images:9.0f} {speed:8.3g} {share:>8s} {held:7.2f}"
        )
    if rates:
        low, middle, high = spread(rates)
        lines.append(f"  the card's rate at matrix products, turn by turn: {middle:.4g} TFLOP/s ({low:.4g}-{high:.4g})")
    return lines


def make_sources(images: Path, into: Path) -> tuple[Path, Path]:
    """An LMDB of the JPEGs below a folder, as they are, and their list."""
    files, database = make_list(images.resolve(), into), into / "jpeg_lmdb"
    command = [sys.executable, "-m", "netcli", "convert-images", "--encoded", "/", str(files), str(database)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    return database, files


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gpu", type=int, default=0, metavar="ID")
    parser.add_argument("--net", action="append", metavar="NAME[:BATCH]", help=f"default: {' '.join(NETS)}")
    parser.add_argument("--precision", choices=PRECISIONS, action="append", help="default: tf32 and bf16")
    parser.add_argument("--kind", choices=KINDS, action="append", help="of PyTorch's sides; default: all")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a turn of netcli's, at least")
    parser.add_argument("--images", type=Path, metavar="FOLDER", help="of JPEGs, to train from")
    parser.add_argument("--torch-python", default="", metavar="PATH", help="a Python that has torch for CUDA")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write what is printed, too")
    given = parser.parse_args(words)
    given.net = given.net or (["alexnet:256", "resnet50:128"] if given.images else NETS)
    for net in given.net:
        try:
            case = case_of(net)
        except ValueError as fault:
            parser.error(str(fault))
        if not case.does("train"):
            parser.error(f"{net} is not trained")
    given.precision = given.precision or PRECISIONS[:2]
    given.kind = given.kind or KINDS
    return given


def main() -> None:
    given = arguments()
    try:
        need(given.gpu)
        torch = given.torch_python if given.torch_python and has_torch(given.torch_python) else ""
        choices = Choices(given.gpu, torch, given.kind, given.turns, given.seconds)
        lines = [f"{datetime.date.today()}  {machine()}  Python {platform.python_version()}"]
        print(lines[0], flush=True)
        versions: dict[str, str] = {}
        with tempfile.TemporaryDirectory() as folder:
            if given.images:
                choices.sources = make_sources(given.images, Path(folder))
            for net in given.net:
                for precision in given.precision:
                    found, met = compare(net, precision, choices)
                    versions.update(met)
                    lines += ["", *found]
                    print("\n" + "\n".join(found), flush=True)
    except NetcliError as fault:
        print(f"tools.bench.gpu: {fault}", file=sys.stderr)
        raise SystemExit(2) from None
    lines[1:1] = ["  ".join(f"{name} {version}" for name, version in versions.items())]
    print("\n" + lines[1])
    if given.out:
        given.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
