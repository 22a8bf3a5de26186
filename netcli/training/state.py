"""Where a run stands, as a solver state: taken for a snapshot, and put back for a resume."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import platform
from typing import TYPE_CHECKING, Any

import numpy as np

import netcli
from netcli.arrays.compiled import compiler
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.onednn.library import library
from netcli.arrays.ops import Ops
from netcli.arrays.threads import thread_count
from netcli.arrays.unsupported import Unsupported
from netcli.errors import NetcliError, Place
from netcli.prototxt import schema
from netcli.snapshots import SolverState, read_weights
from netcli.snapshots.blobproto import array_of
from netcli.training.position import Position

if TYPE_CHECKING:
    from netcli.net import Net
    from netcli.training.trainer import Trainer

_log = logging.getLogger("netcli")


def capture(run: Trainer, learned_net: str) -> SolverState:
    """The state of a run whose weights are stored at `learned_net`."""
    return SolverState(
        iteration=run.iteration,
        learned_net=learned_net,
        history=[run.net.context.device.to_host(array) for array in run.solver.history],
        # Caffe's counts the steps as of the last update's rate.
        current_step=run.solver.schedule.current_step(run.iteration - 1),
        run=_run_state(run),
    )


def _run_state(run: Trainer) -> Any:
    record = environment(run.net)
    record.random_seed = run.net.context.seed
    record.loss_window.extend(map(float, run.losses))
    train, tests = Position.of(run.net), run.before_tests or [Position.of(net) for net in run.tests]
    record.passes = train.passes
    record.generation = run.generation or 0
    record.test_passes.extend(test.passes for test in tests)
    for name, position in zip(_net_names(run), [train, *tests], strict=True):
        for layer, records in position.records.items():
            record.positions.add(net=name, layer=layer, records=records)
        for layer, arrays in position.carried.items():
            carried = record.carried.add(net=name, layer=layer)
            for array in map(run.net.context.device.to_host, arrays):
                blob = carried.blobs.add(data=array.ravel())
                blob.shape.dim.extend(array.shape)
    return record


def restore(run: Trainer, state: SolverState, path: str) -> None:
    """Go on from a state read from `path`; raises SnapshotError where it was made for another net or solver.

    A state of Caffe's has no record of the data: sources begin at record 0, as Caffe lets them.
    """
    if state.learned_net:
        run.net.load(read_weights(state.learned_net))
    try:
        run.solver.history = state.history
    except NetcliError as fault:
        raise fault.at(Place(path)) from None
    run.iteration = state.iteration
    if not is_ours(state):
        return
    too_late = run.net.context.ops.choices.follow({chosen.operation: chosen.way for chosen in state.run.ways})
    _warn_of_differences(state.run, environment(run.net), too_late, path)
    run.losses.extend(state.run.loss_window)
    run.generation = state.run.generation
    passes = [state.run.passes, *state.run.test_passes]
    # A test net that the run did not have then begins as it would in a new run.
    passes += [0] * (1 + len(run.tests) - len(passes))
    for name, net, made in zip(_net_names(run), [run.net, *run.tests], passes, strict=False):
        records = {p.layer: p.records for p in state.run.positions if p.net == name}
        mine = [c for c in state.run.carried if c.net == name]
        moved = net.context.device.from_host
        carried = {c.layer: [moved(array_of(blob.SerializeToString())) for blob in c.blobs] for c in mine}
        Position(records, made, carried).seek(net)


def is_ours(state: SolverState) -> bool:
    """Whether the state has our record of the run, and not only what Caffe writes."""
    return bool(state.run.netcli)


def environment(net: Net) -> Any:
    """RunState with what the last bits of a net's numbers depend on."""
    ops = net.context.ops
    libraries, cpu = _computed_by(ops)
    digest = hashlib.blake2b(net.document.message.SerializeToString(deterministic=True), digest_size=8)
    return schema.RunState(
        threads=thread_count(),
        engine=ops.engine,
        precision=ops.precision,
        library=libraries,
        cpu=cpu,
        netcli=netcli.__version__,
        net_digest=digest.hexdigest(),
        ways=[schema.ChosenWay(operation=key, way=way) for key, way in net.context.ops.choices.made.items()],
    )


def _computed_by(ops: Ops) -> tuple[str, str]:
    """The libraries that compute, with their versions, and the instructions they use, or the card."""
    if isinstance(ops.device, CudaDevice):
        return ops.library(), ops.device.model
    names, instructions = [f"NumPy {np.__version__}"], platform.machine()
    if ops.engine != "plain":
        with contextlib.suppress(Unsupported):
            names.insert(0, compiler.versions())
        with contextlib.suppress(Unsupported):
            onednn = library()
            names.insert(0, f"oneDNN {onednn.version}")
            instructions = onednn.isa
    return ", ".join(names), instructions


def _net_names(run: Trainer) -> list[str]:
    """The names of the nets in RunState.positions."""
    return ["train", *(f"test {index}" for index in range(len(run.tests)))]


def _warn_of_differences(there: Any, here: Any, too_late: int, path: str) -> None:
    """too_late: how many implementations of the run's can't be taken any more."""
    parts = [f"other implementations of {too_late} operations, which have been executed already"] if too_late else []
    for field, words in (
        ("threads", "{} threads, not {}"),
        ("engine", "engine {}, not {}"),
        ("precision", "precision {}, not {}"),
        ("library", "{}, not {}"),
        ("cpu", "{}, not {}"),
        ("netcli", "netcli {}, not {}"),
    ):
        if getattr(there, field) != getattr(here, field):
            parts.append(words.format(getattr(here, field) or "none", getattr(there, field) or "none"))
    if there.net_digest != here.net_digest:
        parts.append("a net whose text has changed")
    if parts:
        _log.warning("resumed %s with %s: last bits may differ from the run it was made in", path, "; ".join(parts))
