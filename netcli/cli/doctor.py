"""`netcli doctor`: what computes on this machine, how fast it can be, and what is in its way."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

import netcli
from netcli.arrays import cgroup, threads
from netcli.arrays.cuda import card
from netcli.arrays.layout import Shape
from netcli.arrays.onednn.library import library
from netcli.arrays.ops import Ops
from netcli.arrays.unsupported import Unsupported
from netcli.cli import card_check, table
from netcli.errors import NetcliError

PACKAGES = (
    *("numpy", "protobuf", "lmdb", "pillow", "click", "threadpoolctl", "onednn-cpu-gomp", "numba", "llvmlite"),
    *("h5py", "matplotlib", "plyvel"),  # extras
)
GPU_PACKAGES = ("cupy-cuda12x", "cupy-cuda13x", "cupy", "nvidia-cudnn-frontend")
FLAGS = {  # of /proc/cpuinfo
    "sse4_1": "SSE4.1",
    "avx": "AVX",
    "fma": "FMA",
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX512_BF16",
    "amx_tile": "AMX",
}
IMAGES: Shape = (2, 16, 8, 8)
# What a net of images asks for: name here -> op, and its arguments.
NOTHING_AFTER = (None, False, None, False, False, False)  # what `Ops.conv` takes behind the dtype, up to bf16
PROBES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "conv": ("conv", (IMAGES, 16, (3, 3), (1, 1), (1, 1), (1, 1), 1, True)),
    "conv (bf16)": ("conv", (IMAGES, 16, (3, 3), (1, 1), (1, 1), (1, 1), 1, True, "f4", *NOTHING_AFTER, True)),
    "inner_product": ("inner_product", (IMAGES, 1, 10, False, True)),
    "inner_product (bf16)": ("inner_product", (IMAGES, 1, 10, False, True, "f4", None, True)),
    "pool (max)": ("pool", (IMAGES, (2, 16, 4, 4), "max", (3, 3), (2, 2), (0, 0))),
    "pool (ave)": ("pool", (IMAGES, (2, 16, 4, 4), "ave", (3, 3), (2, 2), (0, 0))),
    "stochastic_pool": ("stochastic_pool", (IMAGES, (2, 16, 4, 4), (3, 3), (2, 2))),
    "lrn (across)": ("lrn", (IMAGES, "across", 5, 1e-4, 0.75, 1.0)),
    "lrn (within)": ("lrn", (IMAGES, "within", 3, 1e-4, 0.75, 1.0)),
    "batch_norm": ("batch_norm", (IMAGES, 1e-5, False)),
    "moving_statistics": ("moving_statistics", (16, 128, 0.999)),
    "softmax": ("softmax", ((2, 10), 1)),
    "activation (relu)": ("activation", ("relu", IMAGES)),
    "activation (elu)": ("activation", ("elu", IMAGES, 1.0)),
    "activation (sigmoid)": ("activation", ("sigmoid", IMAGES)),
    "activation (tanh)": ("activation", ("tanh", IMAGES)),
    "concat": ("concat", ((IMAGES, IMAGES), 1)),
    "sum": ("sum", (IMAGES, (1.0, 1.0))),
    "maximum": ("maximum", (IMAGES, 2)),
    "normalise": ("normalise", (None, 1.0)),
    "normalise_batch": ("normalise_batch", (None, 1.0)),
    "dropout": ("dropout", (IMAGES, 0.5)),
    "log_loss": ("log_loss", ((2, 10), 1)),
    "prelu": ("prelu", (IMAGES, False)),
    "scale": ("scale", (IMAGES, 1, 2)),
    "whole_numbers": ("whole_numbers", ((64,), 10, None)),
    "add_rows": ("add_rows", ((100, 8), (64,))),
    "norm": ("norm", (((100, 8), (8,)),)),
    "update (SGD)": ("update", ("SGD", (1000,), 0.9)),
    "update (Adam)": ("update", ("Adam", (1000,), 0.9, 0.999, 1e-8)),
}


@click.command(short_help="Tell what computes here, and what is in its way.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Tell what computes on this machine, how fast it can be, and what is in its way.

    Versions, processor, threads, memory, GPU, and for each operation the code that serves it in a typical case.
    """
    found = report()
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    for line in _text(found):
        click.echo(line)


def report() -> dict[str, Any]:
    """All that doctor tells, in the form of its JSON."""
    onednn = _onednn()  # loads it, before threads are counted
    return {
        "versions": {
            "netcli": netcli.__version__,
            "python": f"{platform.python_version()} ({sys.executable})",
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            **_versions(PACKAGES),
        },
        "cpu": _cpu(),
        "threads": threads.thread_count(),
        "onednn": onednn,
        "blas": _blas(),
        "variables": threads.pins(),
        "memory": _memory(),
        "gpu": {"devices": _gpus(), "packages": _versions(GPU_PACKAGES), **_cards()},
        "ops": _ops(),
    }


def _versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Those that are installed; none is imported."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:  # noqa: PERF203
            continue
    return found


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def _fields(path: str) -> dict[str, str]:
    """The first value of each `name : value` in a file of /proc."""
    found: dict[str, str] = {}
    for line in _lines(path):
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return found


def _cpu() -> dict[str, Any]:
    info = _fields("/proc/cpuinfo")
    flags = set(info.get("flags", "").split())
    return {
        "name": info.get("model name") or platform.processor() or platform.machine(),
        "instructions": [name for flag, name in FLAGS.items() if flag in flags],
        "usable": threads.usable_cpus(),
        "quota": cgroup.cpu_quota(),
    }


def _onednn() -> dict[str, Any]:
    try:
        found = library()
    except Unsupported as reason:
        return {"reason": str(reason)}
    return {"version": found.version, "path": str(Path(found.path).resolve()), "instructions": found.isa}


def _blas() -> list[dict[str, Any]]:
    from threadpoolctl import threadpool_info

    return [
        {
            "name": entry["internal_api"],
            "version": entry["version"],
            "kernels": entry.get("architecture"),
            "threads": entry["num_threads"],
            "path": entry["filepath"],
        }
        for entry in threadpool_info()
        if entry["user_api"] == "blas"
    ]


def _memory() -> dict[str, int | None]:
    """Bytes."""
    info = _fields("/proc/meminfo")

    def of(name: str) -> int | None:
        return int(info[name].split()[0]) << 10 if name in info else None

    return {"total": of("MemTotal"), "available": of("MemAvailable"), "limit": cgroup.memory_limit()}


def _gpus() -> list[str]:
    """By the driver's own files, so that no GPU library need be there."""
    driver = Path("/proc/driver/nvidia/gpus")
    if not driver.is_dir():
        return []
    return [_fields(str(gpu / "information")).get("Model", gpu.name) for gpu in sorted(driver.iterdir())]


def _cards() -> dict[str, Any]:
    """The cards that can be used, each checked against the CPU; and why the others, or all, can't be."""
    cards: list[dict[str, Any]] = []
    reasons: list[str] = []
    try:
        numbers = range(card.count())
    except NetcliError as fault:
        return {"cards": cards, "reason": fault.message}
    for number in numbers:
        try:
            cards.append(card_check.told(card.Card(number)))
        except NetcliError as fault:  # noqa: PERF203
            reasons.append(fault.message)
    return {"cards": cards, **({"reason": "; ".join(reasons)} if reasons else {})}


def _ops() -> dict[str, dict[str, Any]]:
    found = {}
    for name, (op, args) in PROBES.items():
        ops = Ops()
        plan = getattr(ops, op)(*args)
        entry: dict[str, Any] = {"served_by": type(plan).__module__.split(".")[2]}
        if op in ops.declined:
            entry["declined"] = ops.declined[op]
        found[name] = entry
    return found


# -- as text


def _text(found: dict[str, Any]) -> Iterator[str]:
    rows = list(_rows(found))
    width = max(len(label) for label, _ in rows) + 2
    for label, value in rows:
        yield f"{label:<{width}}{value}"
    yield ""
    yield "operation (a typical case)  code"
    for name, entry in found["ops"].items():
        reasons = entry.get("declined", {})
        told = ", ".join(reasons.values()) if len(reasons) == 1 else "; ".join(map(": ".join, reasons.items()))
        yield f"{name:<26}  {entry['served_by']}" + (f": {told}" if told else "")


def _rows(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield from found["versions"].items()
    cpu = found["cpu"]
    yield "cpu", f"{cpu['name']}, {' '.join(cpu['instructions']) or 'instruction sets unknown'}"
    quota = "" if cpu["quota"] is None else f", by a quota of {cpu['quota']:g}"
    yield "processors", f"{cpu['usable']} usable{quota}"
    yield "threads", str(found["threads"])
    onednn = found["onednn"]
    if "reason" in onednn:
        yield "oneDNN", f"none: {onednn['reason']}"
    else:
        yield "oneDNN", f"{onednn['version']} with {onednn['instructions']}, {onednn['path']}"
    for blas in found["blas"]:
        held = ", held to one while oneDNN serves" if "reason" not in onednn else ""
        kernels = f", {blas['kernels']} kernels" if blas["kernels"] else ""
        yield "BLAS", f"{blas['name']} {blas['version']}{kernels}, threads {blas['threads']}{held}"
    for name, value in found["variables"].items():
        slows = "; unset it, it can halve NumPy's speed" if name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE") else ""
        yield name, f"{value} (set in the environment{slows})"
    memory = {name: table.size_of(size) for name, size in found["memory"].items() if size is not None}
    yield "memory", ", ".join(f"{size} {name}" for name, size in memory.items()) or "unknown"
    gpu = found["gpu"]
    packages = ", ".join(f"{name} {version}" for name, version in gpu["packages"].items())
    yield "GPU", f"{', '.join(gpu['devices']) or 'none found'}; {packages or 'no GPU packages installed'}"
    if gpu["devices"] and "reason" in gpu:
        yield "", gpu["reason"]
    for each in gpu["cards"]:
        free, total = table.size_of(each["free"]), table.size_of(each["total"])
        yield f"card {each['number']}", f"{each['model']}, {free} free of {total}, {each['versions']}"
        difference = each["difference"]
        yield "", f"WRONG: {difference}" if difference else "computes what the CPU does, layer by layer"
