"""What can be said about a solver's fields before a net is built."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from typing import Any

from netcli.arrays import hdf5
from netcli.errors import NetcliError
from netcli.prototxt.lines import Document
from netcli.solvers import lr_policy

_log = logging.getLogger("netcli")

# Smallest value, and what the field counts.
SMALLEST = {
    "max_iter": (0, "iterations"),
    "display": (0, "iterations, 0 for never"),
    "test_interval": (0, "iterations, 0 for never"),
    "snapshot": (0, "iterations, 0 for never"),
    "average_loss": (1, "iterations"),
    "iter_size": (1, "passes"),
}

MAY_BE_INFINITE = ("clip_gradients",)  # which then clips nothing

# Fields of forks (named as in proto/caffe.proto) that change the weights and are not computed here.
CHANGING = {
    "Intel Caffe": ("warmup_iter", "local_lr_auto", "disabled_update"),
    "NVCaffe": ("rampup_interval", "min_lr", "momentum_policy", "larc", "weight_decay_policy"),
    "jolibrain": ("lr_dropout", "amsgrad", "adabelief", "gc", "lookahead"),
    "caffe-windows": ("clamp_weights_lower", "clamp_weights_upper", "clip_weights"),
}
# Those that change when something is told or written, or the type of numbers; what is done without them.
OTHERWISE = {
    "solver_data_type": "weights and history are FLOAT all the same",
    "test_offset": "test_interval counts from 0 all the same",
    "test_and_snapshot_last_epochs": "it is left out; test_interval and snapshot alone count",
    "test_before_snapshot": "it is left out; test_interval alone counts",
}


def check_solver(solver: Document) -> None:
    """Raise NetcliError with its line where a SolverParameter can't be trained by; warn of what is done otherwise."""
    param = solver.message
    try:
        _check_finite(param)
        for name, (smallest, what) in SMALLEST.items():
            value = getattr(param, name)
            if value < smallest:
                raise NetcliError(f"{name} is at least {smallest} ({what}), got {value}", field=name)
        if param.snapshot_format == param.HDF5:
            try:
                hdf5.require()
            except NetcliError as fault:
                raise NetcliError(f"snapshot_format: {fault.message}", field="snapshot_format") from None
        for fork, names in CHANGING.items():
            for name in names:
                if _differs(param, name):
                    raise NetcliError(
                        f"{name} is {fork}'s and not computed here; without it the weights become others", field=name
                    )
    except NetcliError as fault:
        raise fault.at(solver.lines.find(fault.field)) from None
    for field, words in _remarks(param):
        _log.warning("%s: %s", solver.lines.find(field), words)


def _remarks(param: Any) -> Iterator[tuple[str, str]]:
    """What does not do what it seems to, each with its field."""
    if param.test_interval and not param.test_iter:
        yield "test_interval", "test_interval is given, but no test_iter: nothing is tested"
    for name in lr_policy.missing(param):
        done = "no step is taken" if name == "stepvalue" else "it is 0"
        yield "lr_policy", f'lr_policy "{param.lr_policy}" reads {name}, which is not given: as in Caffe, {done}'
    for name, words in OTHERWISE.items():
        if _differs(param, name):
            yield name, f"{name}: {words}"


def _check_finite(param: Any) -> None:
    for field, value in param.ListFields():
        if isinstance(value, float) and (
            math.isnan(value) or (math.isinf(value) and field.name not in MAY_BE_INFINITE)
        ):
            raise NetcliError(f"{field.name} is {value:g}, with which there is no training", field=field.name)


def _differs(param: Any, name: str) -> bool:
    """Whether a field is set to something else than its default."""
    default = param.DESCRIPTOR.fields_by_name[name].default_value
    return bool(param.HasField(name) and getattr(param, name) != default)
