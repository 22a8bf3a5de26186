"""Normalisation by the mean and variance of each channel."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from netcli.arrays.layout import Shape
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Operation, accept, activation, fast, plain
from netcli.arrays.onednn.program import Program


class BatchNorm:
    """See `Ops.batch_norm`."""

    def __init__(self, x_shape: Shape, eps: float, use_global: bool, dtype: Any) -> None:
        accept(dtype, x_shape)
        self.x, self.statistics = activation(x_shape), plain(x_shape[1:2])
        self.use_global = use_global
        flags = dnnl.USE_GLOBAL_STATS if use_global else 0
        self._forward = fast(
            Operation("batch_normalization_forward", dnnl.FORWARD_TRAINING, self.x, self.x, eps, flags)
        )
        arrays = (self.x, self.x, self.x)
        self._backward = fast(
            Operation("batch_normalization_backward", dnnl.BACKWARD_DATA, *arrays, eps, flags, self._forward)
        )
        self._forward_program = self._make_forward()

    def _make_forward(self) -> Program:
        program = Program()
        x = program.port(self.x)
        declare = program.port if self.use_global else program.output
        statistics = {number: declare(self.statistics) for number in (dnnl.ARG_MEAN, dnnl.ARG_VARIANCE)}
        y = {dnnl.ARG_DST: program.output(self.x)}
        if self.use_global:
            program.execute(self._forward, {dnnl.ARG_SRC: x, **statistics}, y)
        else:
            program.execute(self._forward, {dnnl.ARG_SRC: x}, {**statistics, **y})
        return program

    @cached_property
    def _backward_program(self) -> Program:
        program = Program()
        inputs = {
            dnnl.ARG_SRC: program.port(self.x),
            dnnl.ARG_MEAN: program.port(self.statistics),
            dnnl.ARG_VARIANCE: program.port(self.statistics),
            dnnl.ARG_DIFF_DST: program.port(self.x),
        }
        program.execute(self._backward, inputs, {dnnl.ARG_DIFF_SRC: program.output(self.x)})
        return program

    def forward(self, x: Any, mean: Any, var: Any, y: Any) -> None:
        self._forward_program.run(x, mean, var, y)

    def backward(self, x: Any, mean: Any, var: Any, dy: Any, dx: Any) -> None:
        self._backward_program.run(x, mean, var, dy, dx)
