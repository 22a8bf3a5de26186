"""Local response normalisation."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from netcli.arrays.layout import Shape
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Operation, accept, activation, fast
from netcli.arrays.onednn.program import Program, TwoPrograms
from netcli.arrays.onednn.workspace import Workspace
from netcli.arrays.unsupported import Unsupported

ALGORITHMS = {"across": dnnl.LRN_ACROSS_CHANNELS, "within": dnnl.LRN_WITHIN_CHANNEL}

# Of oneDNN 3.2's kernels those for other sizes give wrong gradients (7 across channels), crash when they are
# made (1), or are plain loops (within channels).
SIZES = (3, 5)


class LRN(TwoPrograms):
    """See `Ops.lrn`."""

    def __init__(
        self,
        x_shape: Shape,
        region: str,
        size: int,
        alpha: float,
        beta: float,
        k: float,
        dtype: Any,
        gradients: bool = True,
    ) -> None:
        accept(dtype, x_shape)
        if size not in SIZES:
            raise Unsupported(f"oneDNN's normalisation over {size} is not to be trusted")
        self.x = x = activation(x_shape)
        algorithm, window = ALGORITHMS[region], (size, alpha, beta, k)
        purpose = dnnl.FORWARD_TRAINING if gradients else dnnl.FORWARD_INFERENCE
        self._forward = fast(Operation("lrn_forward", purpose, algorithm, x, x, *window))
        if gradients:
            self._backward = fast(Operation("lrn_backward", algorithm, x, x, x, *window, self._forward))
        self._workspace = Workspace(self._forward)  # what is common to forward and backward
        self._forward_program = self._make_forward()

    def _make_forward(self) -> Program:
        program = Program()
        x, y = program.port(self.x), program.output(self.x)
        program.execute(self._forward, {dnnl.ARG_SRC: x}, {dnnl.ARG_DST: y, **self._workspace.argument(program)})
        return program

    @cached_property
    def _backward_program(self) -> Program:
        program = Program()
        x, dy, dx = program.port(self.x), program.port(self.x), program.output(self.x)
        inputs = {dnnl.ARG_SRC: x, dnnl.ARG_DIFF_DST: dy, **self._workspace.argument(program)}
        program.execute(self._backward, inputs, {dnnl.ARG_DIFF_SRC: dx})
        return program

    def forward(self, x: Any, y: Any) -> None:
        self._forward_program.run(x, y)

    def backward(self, x: Any, dy: Any, dx: Any) -> None:
        self._backward_program.run(x, dy, dx)
