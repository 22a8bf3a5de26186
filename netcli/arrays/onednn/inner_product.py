"""Inner product.

P: rows of x, all axes before `axis`  K: items in a row  M: outputs

oneDNN has several kernels for it.  Of those that take the filters as they lie in memory, (M, K) or (K, M),
these are the fastest: forward, its matrix product (AlexNet's fc6, ms: 13; its GEMM 35; the blocked kernel,
with the filters reordered for it, 21), but its GEMM where rows are few (one row: 4.3, the product 6.1; three: 3.0 and
5.6; four: the same); back to data, GEMM (11), but the matrix product for transposed filters (13, GEMM 39); for the
weights, GEMM (11).
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import (
    Attributes,
    Desc,
    Operation,
    accept,
    activation,
    fast,
    in_order,
    operands,
    plain,
)
from netcli.arrays.onednn.program import Memory, Program
from netcli.arrays.onednn.weights_gradient import WeightsGradient
from netcli.arrays.work_space import Calls, WorkSpace

FEW = 3  # rows


class InnerProduct:
    """See `Ops.inner_product`."""

    def __init__(
        self,
        x_shape: Shape,
        axis: int,
        num_output: int,
        transpose: bool,
        bias: bool,
        dtype: Any,
        relu: float | None = None,
        bf16: bool = False,
    ) -> None:
        self.x_shape, self.y_shape = x_shape, (*x_shape[:axis], num_output)
        accept(dtype, self.x_shape, self.y_shape)
        rows, items = count_of(x_shape[:axis]), count_of(x_shape[axis:])
        self.x, self.y = plain((rows, items)), plain((rows, num_output))
        self.w_port = plain((items, num_output) if transpose else (num_output, items))
        of_w, of_w_swapped = (num_output, items), (items, num_output)
        order, swapped = ((1, 0), (0, 1)) if transpose else ((0, 1), (1, 0))
        self.w, self.w_swapped = in_order(of_w, order), in_order(of_w_swapped, swapped)  # (M, K), (K, M)
        self.b = plain((num_output,)) if bias else None
        self.b_row = plain((1, num_output)) if bias else None
        # As they are multiplied.
        dtype = operands(bf16)
        x, y = plain((rows, items), dtype), plain((rows, num_output), dtype)
        w, w_swapped = in_order(of_w, order, dtype), in_order(of_w_swapped, swapped, dtype)
        self._forward = _product(x, w_swapped, self.b_row, self.y, rows, relu)
        hint = Operation("inner_product_forward", dnnl.FORWARD_TRAINING, x, w, self.b, self.y)
        if transpose:
            self._backward_data = fast(Operation("matmul", y, w, None, self.x))
        else:
            self._backward_data = fast(Operation("inner_product_backward_data", self.x, w, y, hint))
        self._weights_gradient = WeightsGradient(
            fast(Operation("inner_product_backward_weights", x, self.w, self.b, y, hint)),
            partial(_weights_inputs, (x_shape, self.x), (self.y_shape, self.y)),
            (self.w_port, self.w),
            self.b,
        )
        self._forward_program = self._make_forward()

    # -- programs

    def _make_forward(self) -> Program:
        program = Program()
        inputs = {
            dnnl.ARG_SRC: _matrix(program, self.x_shape, self.x),
            dnnl.ARG_WEIGHTS: program.seen_as(program.port(self.w_port), self.w_swapped),
        }
        if self.b is not None and self.b_row is not None:
            inputs[dnnl.ARG_BIAS] = program.seen_as(program.port(self.b), self.b_row)
        _execute_into(program, self.y_shape, self.y, self._forward, inputs, dnnl.ARG_DST)
        return program

    @cached_property
    def _data_program(self) -> Program:
        program = Program()
        dy = _matrix(program, self.y_shape, self.y)
        w = program.seen_as(program.port(self.w_port), self.w)
        if self._backward_data.kind == "matmul":
            inputs, output = {dnnl.ARG_SRC: dy, dnnl.ARG_WEIGHTS: w}, dnnl.ARG_DST
        else:
            inputs, output = {dnnl.ARG_DIFF_DST: dy, dnnl.ARG_WEIGHTS: w}, dnnl.ARG_DIFF_SRC
        _execute_into(program, self.x_shape, self.x, self._backward_data, inputs, output)
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

    def work_space(self, calls: Calls) -> WorkSpace:
        found = self._forward_program.work_space()
        if calls.data:
            found = found.beside(self._data_program.work_space())
        if calls.weights:
            found = found.beside(self._weights_gradient.work_space(calls.add))
        return found


def _product(x: Desc, w_swapped: Desc, b: Desc | None, y: Desc, rows: int, relu: float | None) -> Operation:
    """Forward's matrix product; of few rows by GEMM, where oneDNN has it."""
    product = Operation("matmul", x, w_swapped, b, y, attributes=Attributes(relu=relu))
    for each in product.implementations() if rows <= FEW else ():
        if each.implementation.startswith("gemm"):
            return each
    return fast(Operation("matmul", x, w_swapped, b, y, attributes=Attributes(relu=relu)))


def _matrix(program: Program, shape: Shape, matrix: Desc) -> Memory:
    """The next array of the call, an activation, as a matrix in Caffe's order."""
    return program.seen_as(program.reordered(program.port(activation(shape)), plain(shape)), matrix)


def _execute_into(
    program: Program, shape: Shape, matrix: Desc, operation: Operation, inputs: dict[int, Memory], output: int
) -> None:
    """Execute, with the next array of the call, an activation, as the resulting matrix in Caffe's order."""
    target = program.output(activation(shape))
    if target.desc == plain(shape):
        program.execute(operation, inputs, {output: program.seen_as(target, matrix)})
    else:
        result = program.temporary(plain(shape))
        program.execute(operation, inputs, {output: program.seen_as(result, matrix)})
        program.reorder(result, target)


def _weights_inputs(x: tuple[Shape, Desc], y: tuple[Shape, Desc], program: Program) -> dict[int, Memory]:
    return {dnnl.ARG_SRC: _matrix(program, *x), dnnl.ARG_DIFF_DST: _matrix(program, *y)}
