"""Elementwise non-linearities, on arrays seen as one axis: items that lie without gaps may lie in any order."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn import descriptors
from netcli.arrays.onednn.descriptors import Attributes, Operation, accept, fast, plain
from netcli.arrays.onednn.program import Memory, Program, TwoPrograms
from netcli.arrays.unsupported import Unsupported

# kind -> (forward, backward, whether backward goes by y, and not by x)
ALGORITHMS = {
    "relu": (dnnl.ELTWISE_RELU, dnnl.ELTWISE_RELU, False),
    "sigmoid": (dnnl.ELTWISE_LOGISTIC, dnnl.ELTWISE_LOGISTIC_USE_DST, True),
    "tanh": (dnnl.ELTWISE_TANH, dnnl.ELTWISE_TANH_USE_DST, True),
}


class Activation(TwoPrograms):
    """See `Ops.activation`."""

    def __init__(self, kind: str, shape: Shape, alpha: float, dtype: Any) -> None:
        accept(dtype, shape)
        if kind not in ALGORITHMS:  # ELU
            raise Unsupported(f"oneDNN's {kind} keeps few right digits near 0")
        self.port, self.flat = descriptors.activation(shape), plain((count_of(shape),))
        forward, backward, self.by_y = ALGORITHMS[kind]
        flat, parameters = self.flat, (alpha, 0.0)
        hint = Operation("eltwise_forward", dnnl.FORWARD_TRAINING, backward, flat, flat, *parameters)
        self._backward = fast(Operation("eltwise_backward", backward, flat, flat, flat, *parameters, hint))
        if kind == "relu" and alpha == 0:
            # oneDNN's relu makes 0 of what is not a number, and hides a net that has gone astray; x * (x > 0)
            # keeps it, in the same time.
            self._zero: Any = np.zeros(1, np.float32)
            self._forward = fast(
                Operation("binary", dnnl.BINARY_GT, flat, plain((1,)), flat, attributes=Attributes(times=flat))
            )
        else:
            self._zero = None
            self._forward = fast(Operation("eltwise_forward", dnnl.FORWARD_TRAINING, forward, flat, flat, *parameters))
        self._forward_program = self._make_forward()

    def _flat(self, program: Program, port: Memory) -> Memory:
        return program.seen_as(port, self.flat)

    def _make_forward(self) -> Program:
        program = Program()
        x = self._flat(program, program.port(self.port))
        y = self._flat(program, program.output(self.port))
        inputs = {dnnl.ARG_SRC: x}
        if self._zero is not None:
            inputs |= {dnnl.ARG_SRC_1: program.port(plain((1,))), dnnl.ARG_TIMES: x}
        program.execute(self._forward, inputs, {dnnl.ARG_DST: y})
        return program

    @cached_property
    def _backward_program(self) -> Program:
        program = Program()
        kept, dy = (self._flat(program, program.port(self.port)) for _ in range(2))
        dx = self._flat(program, program.output(self.port))
        argument = dnnl.ARG_DST if self.by_y else dnnl.ARG_SRC
        program.execute(self._backward, {argument: kept, dnnl.ARG_DIFF_DST: dy}, {dnnl.ARG_DIFF_SRC: dx})
        return program

    def forward(self, x: Any, y: Any) -> None:
        if self._zero is None:
            self._forward_program.run(x, y)
        else:
            self._forward_program.run(x, y, self._zero)

    def backward(self, x: Any, y: Any, dy: Any, dx: Any) -> None:
        self._backward_program.run(y if self.by_y else x, dy, dx)
