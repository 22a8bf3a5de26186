"""Elementwise non-linearities."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from netcli.arrays.layout import Shape
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn import descriptors
from netcli.arrays.onednn.descriptors import Operation, accept, fast
from netcli.arrays.onednn.program import Program

# kind -> (forward, backward, whether backward goes by y, and not by x)
ALGORITHMS = {
    "relu": (dnnl.ELTWISE_RELU, dnnl.ELTWISE_RELU, False),
    "sigmoid": (dnnl.ELTWISE_LOGISTIC, dnnl.ELTWISE_LOGISTIC_USE_DST, True),
    "tanh": (dnnl.ELTWISE_TANH, dnnl.ELTWISE_TANH_USE_DST, True),
    "elu": (dnnl.ELTWISE_ELU, dnnl.ELTWISE_ELU_USE_DST, True),
}


class Activation:
    """See `Ops.activation`."""

    def __init__(self, kind: str, shape: Shape, alpha: float, dtype: Any) -> None:
        accept(dtype, shape)
        self.layout = layout = descriptors.activation(shape)
        forward, backward, self.by_y = ALGORITHMS[kind]
        self._forward = fast(Operation("eltwise_forward", dnnl.FORWARD_TRAINING, forward, layout, layout, alpha, 0.0))
        hint = Operation("eltwise_forward", dnnl.FORWARD_TRAINING, backward, layout, layout, alpha, 0.0)
        self._backward = fast(Operation("eltwise_backward", backward, layout, layout, layout, alpha, 0.0, hint))
        self._forward_program = Program()
        x, y = self._forward_program.port(layout), self._forward_program.output(layout)
        self._forward_program.execute(self._forward, {dnnl.ARG_SRC: x}, {dnnl.ARG_DST: y})

    @cached_property
    def _backward_program(self) -> Program:
        program = Program()
        kept, dy, dx = program.port(self.layout), program.port(self.layout), program.output(self.layout)
        argument = dnnl.ARG_DST if self.by_y else dnnl.ARG_SRC
        program.execute(self._backward, {argument: kept, dnnl.ARG_DIFF_DST: dy}, {dnnl.ARG_DIFF_SRC: dx})
        return program

    def forward(self, x: Any, y: Any) -> None:
        self._forward_program.run(x, y)

    def backward(self, x: Any, y: Any, dy: Any, dx: Any) -> None:
        self._backward_program.run(y if self.by_y else x, dy, dx)
