"""The bodies of the ops: which there are, and which of them serve.

A body that can't take what it is asked for raises `Unsupported`, and the next one is asked.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import numpy as np

from netcli.arrays.choices import Choices
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.device import CPU, Device
from netcli.arrays.unsupported import Unsupported
from netcli.errors import NetcliError

# op -> "module:Class" of its bodies below netcli.arrays, fastest first; the last one of a device takes everything.  Of
# a device those serve whose room is among `Device.rooms`; bodies for cards are given the card before all else.
BODIES = {
    "conv": ("cudnn.conv:Conv", "cuda.conv:Conv", "onednn.conv:Conv", "plain.conv:Conv"),
    "inner_product": (
        "cuda.inner_product:InnerProduct",
        "onednn.inner_product:InnerProduct",
        "plain.inner_product:InnerProduct",
    ),
    "pool": ("cuda.pool:Pool", "onednn.pool:Pool", "compiled.pool:Pool", "plain.pool:Pool"),
    "stochastic_pool": (
        "cuda.stochastic_pool:StochasticPool",
        "plain.stochastic_pool:StochasticPool",
    ),
    "lrn": ("cuda.lrn:LRN", "compiled.lrn:LRN", "onednn.lrn:LRN", "plain.lrn:LRN"),
    "batch_norm": (
        "cuda.batch_norm:BatchNorm",
        "compiled.batch_norm:BatchNorm",
        "onednn.batch_norm:BatchNorm",
        "plain.batch_norm:BatchNorm",
    ),
    "moving_statistics": (
        "cuda.moving_statistics:MovingStatistics",
        "plain.moving_statistics:MovingStatistics",
    ),
    "softmax": ("cuda.softmax:Softmax", "compiled.softmax:Softmax", "onednn.softmax:Softmax", "plain.softmax:Softmax"),
    "log_loss": ("cuda.log_loss:LogLoss", "compiled.log_loss:LogLoss", "plain.log_loss:LogLoss"),
    "activation": (
        "cuda.activation:Activation",
        "onednn.activation:Activation",
        "compiled.activation:Activation",
        "plain.activation:Activation",
    ),
    "prelu": ("cuda.prelu:PReLU", "compiled.prelu:PReLU", "plain.prelu:PReLU"),
    "scale": ("cuda.scale:Scale", "compiled.scale:Scale", "plain.scale:Scale"),
    "concat": ("cuda.concat:Concat", "onednn.concat:Concat", "plain.concat:Concat"),
    "sum": ("cuda.sum:Sum", "onednn.sum:Sum", "plain.sum:Sum"),
    "maximum": ("cuda.maximum:Maximum", "compiled.maximum:Maximum", "plain.maximum:Maximum"),
    "dropout": ("cuda.dropout:Dropout", "compiled.dropout:Dropout", "plain.dropout:Dropout"),
    "normalise": ("cuda.normalise:Normalise", "compiled.normalise:Normalise", "plain.normalise:Normalise"),
    "normalise_batch": ("cuda.normalise:NormaliseBatch", "plain.normalise:NormaliseBatch"),
    "whole_numbers": ("cuda.whole_numbers:WholeNumbers", "plain.whole_numbers:WholeNumbers"),
    "add_rows": ("cuda.add_rows:AddRows", "plain.add_rows:AddRows"),
    "norm": ("cuda.norm:Norm", "plain.norm:Norm"),
    "update": ("cuda.update:Update", "compiled.update:Update", "plain.update:Update"),
}


def bodies(op: str, device: Device = CPU) -> list[str]:
    """Those of an op that serve on a device, as in `BODIES`."""
    return [path for path in BODIES[op] if path.partition(".")[0] in device.rooms]


def body_class(path: str) -> Any:
    """One of them, by its place in `BODIES`."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(f"netcli.arrays.{module}"), name)


class Engine:
    """The bodies in use; for inheriting by `Ops`, which says what they are asked.

    engine: "auto" takes the fastest body that accepts, "plain" the plain ones only.
    choices: which implementations serve plans that last; None: nothing is chosen yet.
    precision: "f32", "tf32" (on a card: see `CudaDevice.tf32`), or "bf16": see Note [bfloat16] in ops.py.
    device: where the arrays are that the plans will be given.
    Raises NetcliError where this machine would be slower by bfloat16; the plain bodies compute it anywhere.
    """

    def __init__(
        self, engine: str = "auto", choices: Choices | None = None, precision: str = "f32", device: Device = CPU
    ) -> None:
        self.engine, self.precision, self.device = engine, precision, device
        self.choices = choices or Choices()
        if isinstance(device, CudaDevice):
            device.tf32 = precision == "tf32"
        self.declined: dict[str, dict[str, str]] = {}  # op -> room -> why its body did not take the last plan
        if precision == "bf16" and engine != "plain" and device is CPU:
            try:
                importlib.import_module("netcli.arrays.onednn.descriptors").operands(True)
            except Unsupported as reason:
                raise NetcliError(f"precision bf16 would be slower than f32 here: {reason}") from None

    def _bf16(self, dtype: Any) -> bool:
        return self.precision == "bf16" and np.dtype(dtype) == np.float32

    def library(self) -> str:
        """What computes, with versions: last bits of results may differ with them."""
        if isinstance(self.device, CudaDevice):
            return self.device.versions
        names = [f"NumPy {np.__version__}"]
        if self.engine != "plain":
            onednn = importlib.import_module("netcli.arrays.onednn.library")
            compiler = importlib.import_module("netcli.arrays.compiled.compiler")
            with contextlib.suppress(Unsupported):
                names.insert(0, compiler.versions())
            with contextlib.suppress(Unsupported):
                found = onednn.library()
                names.insert(0, f"oneDNN {found.version} ({found.isa})")
        return ", ".join(names)

    def _plan(self, op: str, *args: Any) -> Any:
        *faster, last = bodies(op, self.device)
        if self.device is not CPU:
            args = (self.device, *args)
        for path in faster if self.engine != "plain" else ():
            body = body_class(path)
            try:
                return body(*args)
            except Unsupported as reason:
                self.declined.setdefault(op, {})[path.partition(".")[0]] = str(reason)
        return body_class(last)(*args)
