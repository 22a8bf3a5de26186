"""Training steps of netcli, as its sides run them."""

from __future__ import annotations

from netcli.arrays.ops import Ops
from netcli.net import Net
from netcli.prototxt import parse, schema
from netcli.prototxt.lines import Document
from netcli.solvers import make_solver
from tools.bench.cases import Case
from tools.bench.documents import solver_document
from tools.bench.turns import Step


def training_step(net: Net, case: Case, ops: Ops | None = None) -> Step:
    """An iteration each time, by the solver of the case."""
    solver = make_solver(solver_document(case), net.learnable, ops=ops)
    iteration = 0

    def step() -> None:
        nonlocal iteration
        net.clear_diffs()
        net.forward()
        net.backward()
        solver.update(iteration)
        iteration += 1

    return step


def read_from(document: Document, source: str, batch: int, transform: str) -> None:
    """Let the net have its images from an LMDB, in place of an Input layer; transform: text of a transform_param."""
    layer = next(layer for layer in document.message.layer if layer.type == "Input")
    layer.type = "Data"
    layer.ClearField("input_param")
    layer.transform_param.CopyFrom(parse(transform, schema.TransformationParameter).message)
    layer.data_param.source, layer.data_param.batch_size = source, batch
    layer.data_param.backend = layer.data_param.LMDB
