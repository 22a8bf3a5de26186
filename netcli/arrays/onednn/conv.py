"""Convolution.

N: images  C: channels  M: filters  G: groups

Activations stay in the blobs' order (Note [Channels last]), unless it is faster to reorder them inside.  Filters are
reordered at each call, which costs less than a hundredth of the product with many images, a third of it with one;
filters that are held, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from netcli.arrays.choices import Choices
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.conv_operations import After, ConvOperations
from netcli.arrays.onednn.descriptors import Operation, activation, fastest, plain
from netcli.arrays.onednn.held_filters import HeldFilters
from netcli.arrays.onednn.program import ITEMSIZE, Memory, Program
from netcli.arrays.onednn.ways import choose, least_time, ways
from netcli.arrays.onednn.weights_gradient import WeightsGradient
from netcli.arrays.plain.conv import Conv as Definition
from netcli.arrays.threads import thread_count
from netcli.arrays.unsupported import Unsupported
from netcli.arrays.work_space import Calls, WorkSpace

WORTH_TIMING = 200_000  # multiply-adds: below it a call costs more than the product
HELD_BYTES = 16 << 20  # of filters that are held: with more nothing is timed, since each way has its own of them
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
        prelu: bool = False,
        held: bool = False,
        bf16: bool = False,
    ) -> None:
        self.has = ConvOperations(
            x_shape,
            num_output,
            kernel,
            stride,
            pad,
            dilation,
            group,
            bias,
            dtype,
            After(relu, add, affine, prelu),
            held,
            bf16,
        )
        self.settings = (num_output, kernel, stride, pad, dilation, group, bias, dtype)
        self.choices, self.held, self.after = choices, held, self.has.after
        self.x_shape, self.y_shape, self.w_shape = x_shape, self.has.y_shape, self.has.w_shape
        self.grouped, self.b = self.has.grouped, self.has.b
        self._run_forward: Run | None = None
        self._given: Any = None  # filters to hold, before the first execution
        self._held: HeldFilters | None = None
        self._run_backward_data: Run | None = None
        self._run_backward_weights: Run | None = None

    # -- programs

    def _weights(self, program: Program, port: Memory) -> Memory:
        return program.seen_as(port, plain(self.grouped))

    def _forward_program(self, operation: Operation, held: HeldFilters | None = None) -> Program:
        """held: the filters, where the plan holds them; None: some that are not there yet."""
        program = Program()
        inputs = {dnnl.ARG_SRC: program.port(activation(self.x_shape))}
        if self.held:
            inputs[dnnl.ARG_WEIGHTS] = (held or HeldFilters(operation, self.grouped)).memory(program)
        else:
            inputs[dnnl.ARG_WEIGHTS] = self._weights(program, program.port(plain(self.w_shape)))
        if self.b is not None:
            inputs[dnnl.ARG_BIAS] = program.port(self.b)
        y = program.output(activation(self.y_shape))
        after = iter(operation.after)
        for _ in range(2 * self.after.affine):
            inputs[next(after)] = self._beside(program)
        if self.after.add:
            z = program.port(activation(self.y_shape))
            inputs[next(after)] = program.reordered(z, operation.desc(dnnl.ARG_DST))
        if self.after.prelu:
            inputs[next(after)] = self._beside(program)
        program.execute(operation, inputs, {dnnl.ARG_DST: y})
        return program

    def _beside(self, program: Program) -> Memory:
        """The next array of the call, numbers for each channel."""
        return program.seen_as(program.port(plain((self.y_shape[1],))), self.has.of_channels)

    def _holding(self, operation: Operation, w: Any) -> tuple[Program, HeldFilters]:
        """The program of a plan that holds its filters, and these."""
        held = HeldFilters(operation, self.grouped)
        held.take(w)
        return self._forward_program(operation, held), held

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
        make, layouts = getattr(self.has, operation), self.has.layouts(operation)
        if self.choices is None:
            return self.has.by_rule if operation == "forward" else fastest(make, layouts.values())
        measure = None
        if arrays is not None and self.has.multiply_adds() >= WORTH_TIMING and self._may_time(operation):
            measure = partial(self._measured, operation, arrays)
        return choose(
            self.choices,
            self.has.key(operation),
            make,
            layouts,
            partial(self._by_rule, operation),
            measure,
        )

    def _may_time(self, operation: str) -> bool:
        """Whether the ways of an operation may be there at a time."""
        return not self.held or operation != "forward" or ITEMSIZE * count_of(self.w_shape) <= HELD_BYTES

    def _by_rule(self, operation: str) -> str:
        for way, _ in ways(getattr(self.has, operation), self.has.layouts(operation)):
            return way
        raise Unsupported(f"oneDNN has only slow loops for {self.has.key(operation)}")

    def _measured(self, operation: str, arrays: Callable[[int], Sequence[Any]]) -> tuple[str, bool]:
        work = self.has.multiply_adds() + PER_ITEM * (count_of(self.x_shape) + count_of(self.y_shape))
        images = max(thread_count(), TIMED * self.x_shape[0] // work)
        plan = self
        if images < self.x_shape[0]:
            more = {**self.after._asdict(), "held": self.held, "bf16": self.has.bf16}
            plan = Conv((images, *self.x_shape[1:]), *self.settings, **more)
        program: Callable[[Operation], Program] = getattr(plan, f"_{operation}_program")
        if operation == "forward" and self.held:
            program = lambda found: plan._holding(found, self._given)[0]  # noqa: E731
        # As one matrix product only the gradient of the filters is ever the fastest; with groups there are many.
        products = operation == "backward_weights" and self.w_shape == self.grouped
        programs = {
            way: program(found)
            for way, found in ways(getattr(plan.has, operation), self.has.layouts(operation))
            if (products or "gemm" not in way) and (self.has.may_copy() or not way.startswith("free"))
        }
        return least_time(programs, arrays(plan.x_shape[0])) if programs else (self._by_rule(operation), True)

    def _definition(self) -> Definition:
        return Definition(self.x_shape, *self.settings, bf16=self.has.bf16)

    # -- the plan

    def hold(self, w: Any) -> None:
        if self._held is None:
            self._given = w
        else:
            self._held.take(w)

    def forward(self, x: Any, w: Any, b: Any, y: Any, *after: Any) -> None:
        arrays = (x, y) if b is None else (x, b, y)
        if w is not None:
            arrays = (x, w, *arrays[1:])
        if after:
            arrays += after
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
        def some(images: int) -> Sequence[Any]:
            numbers = () if self.held else (1,)  # the filters; the others are of channels, or of images
            return [each if i in numbers or each.ndim == 1 else each[:images] for i, each in enumerate(arrays)]

        operation = self._chosen("forward", some)
        if self.held:
            program, self._held = self._holding(operation, self._given)
            self._given = None
        else:
            program = self._forward_program(operation)
        self._run_forward = program.run
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
