"""Softmax."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import (
    Desc,
    Layout,
    Operation,
    accept,
    activation,
    fast,
    fastest,
    in_order,
)
from netcli.arrays.onednn.program import Program, TwoPrograms


class Softmax(TwoPrograms):
    """See `Ops.softmax`."""

    def __init__(self, x_shape: Shape, axis: int, dtype: Any) -> None:
        accept(dtype, x_shape)
        self.shape, self.axis = x_shape, axis
        self._forward = fastest(self._forward_in, (activation, self._axis_last))
        layout = self._forward.desc(dnnl.ARG_DST)
        self._backward = fast(
            Operation("softmax_backward", dnnl.SOFTMAX_ACCURATE, layout, layout, layout, axis, self._forward)
        )
        self._forward_program = self._make_forward()

    def _axis_last(self, shape: Shape, dtype: int = dnnl.F32) -> Desc:
        """The order that the fast kernels want: along the axis without gaps."""
        return in_order(shape, (*(axis for axis in range(len(shape)) if axis != self.axis), self.axis), dtype)

    def _forward_in(self, layout: Layout) -> Operation:
        x, y = layout(self.shape), layout(self.shape)
        return Operation("softmax_forward", dnnl.FORWARD_TRAINING, dnnl.SOFTMAX_ACCURATE, x, y, self.axis)

    def _make_forward(self) -> Program:
        program = Program()
        x, y = program.port(activation(self.shape)), program.output(activation(self.shape))
        program.execute(self._forward, {dnnl.ARG_SRC: x}, {dnnl.ARG_DST: y})
        return program

    @cached_property
    def _backward_program(self) -> Program:
        program = Program()
        y, dy = program.port(activation(self.shape)), program.port(activation(self.shape))
        dx = program.output(activation(self.shape))
        program.execute(self._backward, {dnnl.ARG_DST: y, dnnl.ARG_DIFF_DST: dy}, {dnnl.ARG_DIFF_SRC: dx})
        return program

    def forward(self, x: Any, y: Any) -> None:
        self._forward_program.run(x, y)
        # Of values that are not finite oneDNN leaves a trace only where they stood; a sum over them is no number.
        if not np.isfinite(y.sum()):
            y[...] = np.where(np.isfinite(y.sum(self.axis, keepdims=True)), y, np.nan)

    def backward(self, y: Any, dy: Any, dx: Any) -> None:
        self._backward_program.run(y, dy, dx)
