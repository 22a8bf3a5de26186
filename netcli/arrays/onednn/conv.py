"""Convolution.

N: images  C: channels  M: filters  G: groups

Activations stay in the blobs' order (Note [Channels last]), unless it is faster to reorder them inside.  Filters are
reordered at each call, which costs less than a hundredth of the product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from netcli.arrays.choices import Choices
from netcli.arrays.layout import Shape, count_of, size_text
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Layout, Operation, accept, activation, fastest, free, plain
from netcli.arrays.onednn.program import ITEMSIZE, Memory, Program
from netcli.arrays.onednn.ways import choose, least_time, ways
from netcli.arrays.onednn.weights_gradient import WeightsGradient
from netcli.arrays.ops import Unsupported
from netcli.arrays.plain.conv import Conv as Definition
from netcli.arrays.threads import thread_count
from netcli.arrays.work_space import Calls, WorkSpace

LARGE_IMAGE = 48 * 48  # pixels; see Note [Blocked gradients]
BLOCKED_BYTES = 512 << 20  # of scratch memory spent on it at most

WORTH_TIMING = 200_000  # multiply-adds: below it a call costs more than the product
TIMED = 64_000_000  # multiply-adds of an execution that is timed, on fewer images where there are more
PER_ITEM = 20  # multiply-adds that take as long as to read or write an item

Run = Callable[..., None]


class Conv:
    """See `Ops.conv`.

    Each operation is chosen at its first execution: a net that only tests never pays for a gradient.
    """

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
        relu: float | None = None,
        add: bool = False,
        choices: Choices | None = None,
        affine: bool = False,
    ) -> None:
        room = [
            size + 2 * p - (d * (k - 1) + 1) for size, k, p, d in zip(x_shape[2:], kernel, pad, dilation, strict=True)
        ]
        out = tuple(max(0, each) // s + 1 for each, s in zip(room, stride, strict=True))
        self.x_shape, self.y_shape = x_shape, (x_shape[0], num_output, *out)
        accept(dtype, self.x_shape, self.y_shape)
        self.relu, self.add, self.choices = relu, add, choices
        self.settings = (num_output, kernel, stride, pad, dilation, group, bias, dtype)
        self.w_shape = (num_output, x_shape[1] // group, *kernel)
        # oneDNN wants an axis for the groups.
        self.grouped = self.w_shape if group == 1 else (group, num_output // group, *self.w_shape[1:])
        self.b = plain((num_output,)) if bias else None
        # for each channel, beside y
        self.affine = plain((1, num_output, *[1] * len(kernel))) if affine else None
        # oneDNN counts dilation from 0, and cells of padding on either side.
        behind = tuple(p + max(0, -each) for p, each in zip(pad, room, strict=True))
        self.window = (stride, tuple(d - 1 for d in dilation), pad, behind)
        self._forward = fastest(self._forward_in, self._layouts("forward").values())
        self._run_forward: Run | None = None
        self._run_backward_data: Run | None = None
        self._run_backward_weights: Run | None = None

    # -- what oneDNN has for it

    def _layouts(self, operation: str) -> dict[str, Layout]:
        """Where activations may lie in an operation, the first by rule."""
        if len(self.x_shape) != 4:  # C-contiguous, an order that oneDNN's fast kernels do not have
            return {"free": free}
        if operation == "backward_weights" and self._blocked_gradients():
            return {"free": free, "channels-last": activation}
        return {"channels-last": activation, "free": free}

    def _blocked_gradients(self) -> bool:
        """Note [Blocked gradients]: by rule channels-last or, where it pays to reorder x and dy, oneDNN's own order.

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
        return self.w_shape == self.grouped and (few or large) and self._may_copy()

    def _may_copy(self) -> bool:
        """Whether x and y may be reordered into scratch memory."""
        return ITEMSIZE * (count_of(self.x_shape) + count_of(self.y_shape)) <= BLOCKED_BYTES

    def _forward_in(self, layout: Layout) -> Operation:
        arrays = (layout(self.x_shape), free(self.grouped), self.b, layout(self.y_shape))
        args = (dnnl.FORWARD_TRAINING, dnnl.CONVOLUTION_DIRECT, *arrays, *self.window)
        return Operation("convolution_forward", *args, add=self.add, relu=self.relu, affine=self.affine)

    def _backward_data_in(self, layout: Layout) -> Operation:
        arrays = (layout(self.x_shape), free(self.grouped), layout(self.y_shape))
        return Operation("convolution_backward_data", dnnl.CONVOLUTION_DIRECT, *arrays, *self.window, self._forward)

    def _backward_weights_in(self, layout: Layout) -> Operation:
        arrays = (layout(self.x_shape), free(self.grouped), self.b, layout(self.y_shape))
        return Operation("convolution_backward_weights", dnnl.CONVOLUTION_DIRECT, *arrays, *self.window, self._forward)

    # -- programs

    def _weights(self, program: Program, port: Memory) -> Memory:
        return program.seen_as(port, plain(self.grouped))

    def _forward_program(self, operation: Operation) -> Program:
        program = Program()
        x = program.port(activation(self.x_shape))
        w = self._weights(program, program.port(plain(self.w_shape)))
        inputs = {dnnl.ARG_SRC: x, dnnl.ARG_WEIGHTS: w}
        if self.b is not None:
            inputs[dnnl.ARG_BIAS] = program.port(self.b)
        y = program.output(activation(self.y_shape), add=self.add)
        if self.affine is not None:
            of_channels = plain((self.y_shape[1],))
            for number in (dnnl.ARG_TIMES, dnnl.ARG_PLUS):
                inputs[number] = program.seen_as(program.port(of_channels), self.affine)
        if not self.add:
            program.execute(operation, inputs, {dnnl.ARG_DST: y})
            return program
        summed = program.reordered(y, operation.desc(dnnl.ARG_DST))
        program.execute(operation, inputs, {dnnl.ARG_DST: summed})
        if summed is not y:
            program.reorder(summed, y)
        return program

    def _backward_data_program(self, operation: Operation) -> Program:
        program = Program()
        dy = program.port(activation(self.y_shape))
        w = self._weights(program, program.port(plain(self.w_shape)))
        dx = program.output(activation(self.x_shape))
        program.execute(operation, {dnnl.ARG_DIFF_DST: dy, dnnl.ARG_WEIGHTS: w}, {dnnl.ARG_DIFF_SRC: dx})
        return program

    def _weights_gradient(self, operation: Operation) -> WeightsGradient:
        inputs = partial(_weights_inputs, self.x_shape, self.y_shape)
        return WeightsGradient(operation, inputs, (plain(self.w_shape), plain(self.grouped)), self.b)

    def _backward_weights_program(self, operation: Operation) -> Program:
        return self._weights_gradient(operation).program(True, self.b is not None, False)

    # -- which of them; Note [Timing]

    def _chosen(self, operation: str, arrays: Callable[[int], Sequence[Any]] | None) -> Operation:
        """arrays: gives those for an execution on so many images, which is free to write to them; None: no timing."""
        make, layouts = getattr(self, f"_{operation}_in"), self._layouts(operation)
        if self.choices is None:
            return fastest(make, layouts.values())
        measure = None
        if arrays is not None and self._multiply_adds() >= WORTH_TIMING:
            measure = partial(self._measured, operation, arrays)
        return choose(
            self.choices,
            self._key(operation),
            make,
            layouts,
            partial(self._by_rule, operation),
            measure,
        )

    def _by_rule(self, operation: str) -> str:
        for way, _ in ways(getattr(self, f"_{operation}_in"), self._layouts(operation)):
            return way
        raise Unsupported(f"oneDNN has only slow loops for {self._key(operation)}")

    def _measured(self, operation: str, arrays: Callable[[int], Sequence[Any]]) -> tuple[str, bool]:
        work = self._multiply_adds() + PER_ITEM * (count_of(self.x_shape) + count_of(self.y_shape))
        images = max(thread_count(), TIMED * self.x_shape[0] // work)
        plan = self
        if images < self.x_shape[0]:
            after = (self.relu, self.add, None, self.affine is not None)
            plan = Conv((images, *self.x_shape[1:]), *self.settings, *after)
        program = getattr(plan, f"_{operation}_program")
        # As one matrix product only the gradient of the filters is ever the fastest; with groups there are many.
        products = operation == "backward_weights" and self.w_shape == self.grouped
        programs = {
            way: program(found)
            for way, found in ways(getattr(plan, f"_{operation}_in"), self._layouts(operation))
            if (products or "gemm" not in way) and (self._may_copy() or not way.startswith("free"))
        }
        return least_time(programs, arrays(plan.x_shape[0])) if programs else (self._by_rule(operation), True)

    def _multiply_adds(self) -> int:
        return count_of(self.y_shape) * count_of(self.w_shape[1:])

    def _key(self, operation: str) -> str:
        num_output, kernel, stride, pad, dilation, group, bias, _ = self.settings
        parts = [f"convolution {operation.replace('_', ' ')} {size_text(self.x_shape)}", f"filters {num_output}"]
        windows = (("kernel", kernel), ("stride", stride), ("pad", pad), ("dilation", dilation))
        parts += [f"{name} {size_text(sizes)}" for name, sizes in windows]
        parts += [f"group {group}", *["bias"] * bias]
        if operation == "forward":
            parts += [
                *["affine"] * (self.affine is not None),
                *["add"] * self.add,
                *([] if self.relu is None else [f"relu {self.relu:g}"]),
            ]
        return ", ".join(parts)

    def _definition(self) -> Definition:
        return Definition(self.x_shape, *self.settings)

    # -- the plan

    def forward(self, x: Any, w: Any, b: Any, y: Any, s: Any = None, t: Any = None) -> None:
        arrays = (x, w, y) if b is None else (x, w, b, y)
        if s is not None:
            arrays += (s, t)
        run = self._run_forward or self._settle_forward(arrays)
        run(*arrays)

    def backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        run = self._run_backward_data or self._settle_backward_data(dy, w, dx)
        run(dy, w, dx)

    def backward_weights(self, x: Any, dy: Any, dw: Any, db: Any, add: bool) -> None:
        run = self._run_backward_weights or self._settle_backward_weights(x, dy)
        run(x, dy, dw, db, add)

    def work_space(self, calls: Calls) -> WorkSpace:
        """By the ways that are known; what has not been timed yet goes by the rule."""
        found = WorkSpace()
        if calls.forward:
            found = found.beside(self._forward_program(self._chosen("forward", None)).work_space())
        try:
            if calls.data:
                operation = self._chosen("backward_data", None)
                found = found.beside(self._backward_data_program(operation).work_space())
            if calls.weights:
                operation = self._chosen("backward_weights", None)
                found = found.beside(self._weights_gradient(operation).work_space(calls.add))
        except Unsupported:
            found = found.beside(self._definition().work_space(calls))
        return found

    # -- first executions

    def _settle_forward(self, arrays: Sequence[Any]) -> Run:
        at = 2 if self.b is None else 3  # y's place
        x, y = arrays[0], arrays[at]

        def some(images: int) -> Sequence[Any]:
            of_y = y[:images].copy("K") if self.add else y[:images]
            return (x[:images], *arrays[1:at], of_y, *arrays[at + 1 :])

        self._forward = self._chosen("forward", some)
        self._run_forward = self._forward_program(self._forward).run
        return self._run_forward

    def _settle_backward_data(self, dy: Any, w: Any, dx: Any) -> Run:
        try:
            operation = self._chosen("backward_data", lambda images: (dy[:images], w, dx[:images]))
            self._run_backward_data = self._backward_data_program(operation).run
        except Unsupported:
            self._run_backward_data = self._definition().backward_data
        return self._run_backward_data

    def _settle_backward_weights(self, x: Any, dy: Any) -> Run:
        def some(images: int) -> Sequence[Any]:
            gradients = [np.empty(self.w_shape, np.float32), *[np.empty(self.w_shape[0], np.float32)] * bool(self.b)]
            return (x[:images], dy[:images], *gradients)

        try:
            self._run_backward_weights = self._weights_gradient(self._chosen("backward_weights", some)).run
        except Unsupported:
            self._run_backward_weights = self._definition().backward_weights
        return self._run_backward_weights


def _weights_inputs(x_shape: Shape, y_shape: Shape, program: Program) -> dict[int, Memory]:
    x, dy = program.port(activation(x_shape)), program.port(activation(y_shape))
    return {dnnl.ARG_SRC: x, dnnl.ARG_DIFF_DST: dy}
