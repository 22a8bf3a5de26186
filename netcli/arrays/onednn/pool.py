"""Max and average pooling.

Caffe rounds the output up by default, so that the last windows may reach over the border, to the right and
below: oneDNN takes that as more padding on that side than on the other.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from netcli.arrays.layout import Shape
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Operation, accept, activation, fast
from netcli.arrays.onednn.program import Program, TwoPrograms
from netcli.arrays.onednn.workspace import Workspace
from netcli.arrays.unsupported import Unsupported


class Pool(TwoPrograms):
    """See `Ops.pool`."""

    def __init__(
        self,
        x_shape: Shape,
        y_shape: Shape,
        method: str,
        kernel: Shape,
        stride: Shape,
        pad: Shape,
        mask: bool,
        dtype: Any,
        gradients: bool = True,
    ) -> None:
        accept(dtype, x_shape, y_shape)
        if mask:
            raise Unsupported("oneDNN keeps the places of the maxima in a form of its own")
        self.x_shape, self.y_shape = x_shape, y_shape
        behind = tuple(
            (out - 1) * s + k - size - p
            for size, out, k, s, p in zip(x_shape[2:], y_shape[2:], kernel, stride, pad, strict=True)
        )
        if any(b >= k for b, k in zip(behind, kernel, strict=True)):
            raise Unsupported("a window lies outside of the image")
        algorithm = _algorithm(method, pad, behind)
        # no dilation; a negative number of cells behind are cells that no window reaches
        window = (stride, kernel, (0,) * len(kernel), pad, tuple(max(b, 0) for b in behind))
        x, y = activation(x_shape), activation(y_shape)
        purpose = dnnl.FORWARD_TRAINING if gradients else dnnl.FORWARD_INFERENCE
        self._forward = fast(Operation("pooling_forward", purpose, algorithm, x, y, *window))
        if gradients:
            self._backward = fast(Operation("pooling_backward", algorithm, x, y, *window, self._forward))
        self._workspace = Workspace(self._forward)  # where each maximum was
        self._forward_program = self._make_forward()

    # -- programs

    def _make_forward(self) -> Program:
        program = Program()
        x, y = program.port(activation(self.x_shape)), program.output(activation(self.y_shape))
        program.execute(self._forward, {dnnl.ARG_SRC: x}, {dnnl.ARG_DST: y, **self._workspace.argument(program)})
        return program

    @cached_property
    def _backward_program(self) -> Program:
        program = Program()
        dy, dx = program.port(activation(self.y_shape)), program.output(activation(self.x_shape))
        inputs = {dnnl.ARG_DIFF_DST: dy, **self._workspace.argument(program)}
        program.execute(self._backward, inputs, {dnnl.ARG_DIFF_SRC: dx})
        return program

    # -- the plan

    def forward(self, x: Any, y: Any) -> None:
        self._forward_program.run(x, y)

    def backward(self, dy: Any, dx: Any) -> None:
        self._backward_program.run(dy, dx)


def _algorithm(method: str, pad: Shape, behind: Shape) -> int:
    """The algorithm that divides as Caffe does; behind: how far the last windows reach over the image."""
    if method == "max":
        return dnnl.POOLING_MAX
    # Caffe divides by the part of the window within the image and its padding.
    if not any(pad):
        return dnnl.POOLING_AVG_EXCLUDE_PADDING
    if all(b <= p for b, p in zip(behind, pad, strict=True)):
        return dnnl.POOLING_AVG_INCLUDE_PADDING
    raise Unsupported("oneDNN can't average windows that reach over the padding of an image")
