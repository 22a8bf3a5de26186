"""debug_info: how large the numbers of each blob are, in the log, at the iterations on display.

Same lines as ForwardDebugInfo and BackwardDebugInfo in Caffe's net.cpp: the mean of the absolute values of each
top, parameter and diff, as each layer is done with them.  Of the training net alone; Caffe tells the test nets' too.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from netcli.net import Net
from netcli.training.hooks import Hook, Order
from netcli.training.journal import Journal

if TYPE_CHECKING:
    from netcli.training.trainer import Trainer


class DebugInfo(Hook):
    """Runs the passes of an iteration on display layer by layer; the net was built with keep_blobs=True."""

    order: ClassVar[Order] = Order.WRITE

    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def before(self, run: Trainer) -> None:
        self._passes = run.forward, run.backward
        if run.shows():
            run.forward = lambda: self._forward(run.net)
            run.backward = lambda: self._backward(run.net)

    def computed(self, run: Trainer) -> None:
        run.forward, run.backward = self._passes

    def _forward(self, net: Net) -> float:
        loss = 0.0
        for i, layer in enumerate(net.layers):
            loss += float(net.forward(i, i))
            for name, blob in zip(net.top_names[i], net.tops[i], strict=True):
                self._say(
                    "net.cpp:593", f"[Forward] Layer {layer.name}, top blob {name} data: {_mean(blob.host_data()):g}"
                )
            for index, blob in enumerate(layer.blobs):
                name = _parameter_name(layer.param, index)
                self._say(
                    "net.cpp:605", f"[Forward] Layer {layer.name}, param blob {name} data: {_mean(blob.host_data()):g}"
                )
        return loss

    def _backward(self, net: Net) -> None:
        need = net.bottom_need_backward
        for i, layer in reversed(list(enumerate(net.layers))):
            net.backward(i, i)
            for name, blob, written in zip(net.bottom_names[i], net.bottoms[i], need[i], strict=True):
                if written:
                    mean = _mean(blob.host_diff())
                    self._say("net.cpp:621", f"[Backward] Layer {layer.name}, bottom blob {name} diff: {mean:g}")
            for index, blob in enumerate(layer.blobs):
                if layer.learns(index):
                    mean = _mean(blob.host_diff())
                    self._say("net.cpp:632", f"[Backward] Layer {layer.name}, param blob {index} diff: {mean:g}")
        data = _norms([parameter.blob.host_data() for parameter in net.learnable])
        diff = _norms([parameter.blob.host_diff() for parameter in net.learnable])
        self._say(
            "net.cpp:721",
            "[Backward] All net params (data, diff): "
            f"L1 norm = ({data[0]:g}, {diff[0]:g}); L2 norm = ({data[1]:g}, {diff[1]:g})",
        )

    def _say(self, where: str, text: str) -> None:
        self.journal.say(where, f"    {text}")


def _parameter_name(param: Any, index: int) -> str:
    """What a layer's prototxt calls its parameter, or its number."""
    name: str = param.param[index].name if index < len(param.param) else ""
    return name or str(index)


def _mean(array: Any) -> float:
    return float(np.abs(array).mean(dtype=np.float64)) if array.size else math.nan


def _norms(arrays: list[Any]) -> tuple[float, float]:
    """(L1, L2) of arrays taken together."""
    l1 = sum(float(np.abs(array).sum(dtype=np.float64)) for array in arrays)
    return l1, math.sqrt(sum(float(np.square(array, dtype=np.float64).sum()) for array in arrays))
