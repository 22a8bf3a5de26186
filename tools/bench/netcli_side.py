"""netcli's sides: by oneDNN, in either precision, by the plain bodies, and by a program in pycaffe's manner.

python -m tools.bench.netcli_side SIDE CASE WORK
"""

from __future__ import annotations

import functools
import importlib.metadata
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba  # here, so that it counts among the imports: netcli takes it once a kernel is wanted

from netcli import pycaffe
from netcli.arrays.ops import Ops
from netcli.arrays.threads import set_threads
from netcli.net import Net
from netcli.prototxt import to_text
from tools.bench.cases import CASES, Case
from tools.bench.documents import flop, layers, net_document, phase, solver_document
from tools.bench.training import training_step
from tools.bench.turns import Step, serve


def direct(case: Case, work: str, engine: str = "auto", precision: str = "f32") -> tuple[Step, dict[str, Any]]:
    """A net and a solver, as `netcli train` and `netcli predict` have them."""
    set_threads(None)
    net = Net(
        net_document(case, work), phase(work), ops=Ops(engine, precision=precision), seed=1, constant=work != "train"
    )
    x, y = case.batch_of(work)
    net.blobs["data"].data[...] = x
    if work != "train":
        return net.forward, facts(net, work)
    net.blobs["label"].data[...] = y
    return training_step(net, case), facts(net, work)


def by_program(case: Case, work: str) -> tuple[Step, dict[str, Any]]:
    """The same by a program that steps a solver, or runs a net, and looks at no blob."""
    pycaffe.init_log(2)
    x, y = case.batch_of(work)
    document = net_document(case, work)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "net.prototxt")
        path.write_text(to_text(document.message))
        if work != "train":
            net = pycaffe.Net(str(path), pycaffe.TEST)
            net.blobs["data"].data[...] = x
            return net.forward, facts(net.engine, work)
        solver_text = solver_document(case).message
        solver_text.net = str(path)
        solver_text.snapshot_prefix = f"{folder}/bench"
        Path(folder, "solver.prototxt").write_text(to_text(solver_text))
        solver = pycaffe.get_solver(f"{folder}/solver.prototxt")
    solver.net.engine.blobs["data"].data[...] = x  # not as a program does it, which would be a look
    solver.net.engine.blobs["label"].data[...] = y
    return lambda: solver.step(1), facts(solver.net.engine, work)


def facts(net: Net, work: str) -> dict[str, Any]:
    found = layers(net)
    versions = {name: importlib.metadata.version(name) for name in ("netcli", "numpy")}
    return {
        "parameters": sum(layer["parameters"] for layer in found),
        "flop": flop(found, work),
        "versions": {**versions, "numba": numba.__version__, "with": net.context.ops.library()},
    }


SIDES: dict[str, Callable[[Case, str], tuple[Step, dict[str, Any]]]] = {
    "netcli": direct,
    "netcli bf16": functools.partial(direct, precision="bf16"),
    "netcli plain": functools.partial(direct, engine="plain"),
    "netcli pycaffe": by_program,
}


if __name__ == "__main__":
    side, name, work = sys.argv[1:]
    serve(lambda: SIDES[side](CASES[name], work))
