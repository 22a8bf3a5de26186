"""Convolution.

N: images  C: channels  M: filters  G: groups

Activations stay in the blobs' order (Note [Channels last]): forward and back to data oneDNN is as fast in it
as in its own blocked order, or faster, counting the reorders.  Filters are reordered at each call, which
costs less than a hundredth of the product.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Layout, Operation, accept, activation, fastest, free, plain
from netcli.arrays.onednn.program import ITEMSIZE, Memory, Program
from netcli.arrays.onednn.weights_gradient import WeightsGradient

LARGE_IMAGE = 48 * 48  # pixels; see Note [Blocked gradients]
BLOCKED_BYTES = 512 << 20  # of scratch memory spent on it at most


class Conv:
    """See `Ops.conv`."""

    def __init__(
        self,
        x_shape: Shape,
        num_output: int,
        kernel: Shape,
        stride: Shape,
        pad: Shape,
        dilation: Shape,
        group: int,
        bias: bool,
        dtype: Any,
    ) -> None:
        room = [
            size + 2 * p - (d * (k - 1) + 1) for size, k, p, d in zip(x_shape[2:], kernel, pad, dilation, strict=True)
        ]
        out = tuple(max(0, each) // s + 1 for each, s in zip(room, stride, strict=True))
        self.x_shape, self.y_shape = x_shape, (x_shape[0], num_output, *out)
        accept(dtype, self.x_shape, self.y_shape)
        self.w_shape = (num_output, x_shape[1] // group, *kernel)
        # oneDNN wants an axis for the groups.
        self.grouped = self.w_shape if group == 1 else (group, num_output // group, *self.w_shape[1:])
        self.b = plain((num_output,)) if bias else None
        # oneDNN counts dilation from 0, and cells of padding on either side.
        behind = tuple(p + max(0, -each) for p, each in zip(pad, room, strict=True))
        self.window = (stride, tuple(d - 1 for d in dilation), pad, behind)
        # Activations of other ranks are C-contiguous, an order that oneDNN's fast kernels do not have.
        layouts = (activation, free) if len(x_shape) == 4 else (free,)
        self._forward = fastest(self._forward_in, layouts)
        self._backward_data = fastest(self._backward_data_in, layouts)
        self._weights_gradient = WeightsGradient(
            fastest(self._backward_weights_in, self._layouts_for_weights(layouts)),
            partial(_weights_inputs, x_shape, self.y_shape),
            (plain(self.w_shape), plain(self.grouped)),
            self.b,
        )
        self._forward_program = self._make_forward()

    def _layouts_for_weights(self, layouts: tuple[Layout, ...]) -> tuple[Layout, ...]:
        """Note [Blocked gradients]: channels-last or, where it pays to reorder x and dy for it, oneDNN's own order.

        Measured (AVX-512, whole nets' layers): with up to 4 channels the gradient of the filters takes 0.4 to
        0.9 of the time that way, with whole blocks of 16 channels in large images 0.65 to 0.98, else 1 to 2.
        """
        channels, filters = self.x_shape[1], self.y_shape[1]
        few = channels <= 4
        large = (
            count_of(self.w_shape[2:]) > 1
            and channels % 16 == filters % 16 == 0
            and count_of(self.x_shape[2:]) >= LARGE_IMAGE
        )
        copied = ITEMSIZE * (count_of(self.x_shape) + count_of(self.y_shape))
        if self.w_shape == self.grouped and (few or large) and copied <= BLOCKED_BYTES:
            return (free, *layouts)
        return layouts

    # -- what oneDNN has for it

    def _forward_in(self, layout: Layout) -> Operation:
        arrays = (layout(self.x_shape), free(self.grouped), self.b, layout(self.y_shape))
        return Operation("convolution_forward", dnnl.FORWARD_TRAINING, dnnl.CONVOLUTION_DIRECT, *arrays, *self.window)

    def _backward_data_in(self, layout: Layout) -> Operation:
        arrays = (layout(self.x_shape), free(self.grouped), layout(self.y_shape))
        return Operation("convolution_backward_data", dnnl.CONVOLUTION_DIRECT, *arrays, *self.window, self._forward)

    def _backward_weights_in(self, layout: Layout) -> Operation:
        arrays = (layout(self.x_shape), free(self.grouped), self.b, layout(self.y_shape))
        return Operation("convolution_backward_weights", dnnl.CONVOLUTION_DIRECT, *arrays, *self.window, self._forward)

    # -- programs

    def _weights(self, program: Program, port: Memory) -> Memory:
        return program.seen_as(port, plain(self.grouped))

    def _make_forward(self) -> Program:
        program = Program()
        x = program.port(activation(self.x_shape))
        w = self._weights(program, program.port(plain(self.w_shape)))
        inputs = {dnnl.ARG_SRC: x, dnnl.ARG_WEIGHTS: w}
        if self.b is not None:
            inputs[dnnl.ARG_BIAS] = program.port(self.b)
        y = program.output(activation(self.y_shape))
        program.execute(self._forward, inputs, {dnnl.ARG_DST: y})
        return program

    @cached_property
    def _data_program(self) -> Program:
        """Made at the first backward: a net that only tests never pays for it."""
        program = Program()
        dy = program.port(activation(self.y_shape))
        w = self._weights(program, program.port(plain(self.w_shape)))
        dx = program.output(activation(self.x_shape))
        program.execute(self._backward_data, {dnnl.ARG_DIFF_DST: dy, dnnl.ARG_WEIGHTS: w}, {dnnl.ARG_DIFF_SRC: dx})
        return program

    # -- the plan

    def forward(self, x: Any, w: Any, b: Any, y: Any) -> None:
        if b is None:
            self._forward_program.run(x, w, y)
        else:
            self._forward_program.run(x, w, b, y)

    def backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        self._data_program.run(dy, w, dx)

    def backward_weights(self, x: Any, dy: Any, dw: Any, db: Any, add: bool) -> None:
        self._weights_gradient.run(x, dy, dw, db, add)


def _weights_inputs(x_shape: Shape, y_shape: Shape, program: Program) -> dict[int, Memory]:
    x, dy = program.port(activation(x_shape)), program.port(activation(y_shape))
    return {dnnl.ARG_SRC: x, dnnl.ARG_DIFF_DST: dy}
