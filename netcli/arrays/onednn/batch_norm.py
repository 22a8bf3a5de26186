"""Normalisation by the mean and variance of each channel, with scale, shift and ReLU behind it in the same pass."""

from __future__ import annotations

from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from netcli.arrays.layout import Shape
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Operation, accept, activation, fast, plain
from netcli.arrays.onednn.program import Program, TwoPrograms
from netcli.arrays.onednn.workspace import Workspace
from netcli.arrays.unsupported import Unsupported


class BatchNorm(TwoPrograms):
    """See `Ops.batch_norm`."""

    is_given: ClassVar[bool] = False  # whether the caller works out the statistics of the batch, for forward to read

    def __init__(self, x_shape: Shape, eps: float, use_global: bool, affine: bool, relu: bool, dtype: Any) -> None:
        accept(dtype, x_shape)
        if relu and use_global:
            # With statistics from elsewhere a NaN of x is no NaN of the channel, and nothing would tell of it.
            raise Unsupported("oneDNN makes 0 of what is not a number where ReLU goes with given statistics")
        self.x, self.c = activation(x_shape), plain(x_shape[1:2])
        self.affine, self.relu, self.reads_statistics = affine, relu, use_global or self.is_given
        flags = dnnl.USE_GLOBAL_STATS * use_global + (dnnl.USE_SCALE | dnnl.USE_SHIFT) * affine
        flags |= dnnl.FUSE_NORM_RELU * relu
        by_batch = fast(Operation("batch_normalization_forward", dnnl.FORWARD_TRAINING, self.x, self.x, eps, flags))
        self._forward = by_batch
        if self.is_given:
            given = (self.x, self.x, eps, flags | dnnl.USE_GLOBAL_STATS)
            self._forward = fast(Operation("batch_normalization_forward", dnnl.FORWARD_TRAINING, *given))
        wanted = dnnl.BACKWARD if affine else dnnl.BACKWARD_DATA
        arrays = (self.x, self.x, self.x)
        self._backward = fast(Operation("batch_normalization_backward", wanted, *arrays, eps, flags, by_batch))
        self._workspace = Workspace(self._forward)  # with relu, where y was above 0
        self._forward_program = self._make_forward()

    def _make_forward(self) -> Program:
        program = Program()
        inputs = {dnnl.ARG_SRC: program.port(self.x)}
        declare = program.port if self.reads_statistics else program.output
        statistics = {number: declare(self.c) for number in (dnnl.ARG_MEAN, dnnl.ARG_VARIANCE)}
        if self.affine:
            inputs |= {number: program.port(self.c) for number in (dnnl.ARG_SCALE, dnnl.ARG_SHIFT)}
        outputs = {dnnl.ARG_DST: program.output(self.x), **self._workspace.argument(program)}
        if self.reads_statistics:
            program.execute(self._forward, {**inputs, **statistics}, outputs)
        else:
            program.execute(self._forward, inputs, {**statistics, **outputs})
        return program

    @cached_property
    def _backward_program(self) -> Program:
        program = Program()
        inputs = {number: program.port(self.x) for number in (dnnl.ARG_SRC, dnnl.ARG_DIFF_DST)}
        inputs |= {number: program.port(self.c) for number in (dnnl.ARG_MEAN, dnnl.ARG_VARIANCE)}
        outputs = {dnnl.ARG_DIFF_SRC: program.output(self.x)}
        if self.affine:
            inputs[dnnl.ARG_SCALE] = program.port(self.c)
            outputs |= {number: program.output(self.c) for number in (dnnl.ARG_DIFF_SCALE, dnnl.ARG_DIFF_SHIFT)}
        program.execute(self._backward, {**inputs, **self._workspace.argument(program)}, outputs)
        return program

    def forward(self, x: Any, mean: Any, var: Any, s: Any, b: Any, y: Any) -> None:
        if self.affine:
            self._forward_program.run(x, mean, var, s, b, y)
        else:
            self._forward_program.run(x, mean, var, y)
        if self.relu and not np.isfinite(var.sum()):
            # oneDNN's ReLU makes 0 of what is not a number, and hides a net that has gone astray.
            y[:, ~np.isfinite(var)] = np.nan

    def backward(self, x: Any, mean: Any, var: Any, s: Any, dy: Any, dx: Any, ds: Any, db: Any) -> None:
        if self.affine:
            self._backward_program.run(x, dy, mean, var, dx, s, ds, db)
        else:
            self._backward_program.run(x, dy, mean, var, dx)


class GivenBatchNorm(BatchNorm):
    """The same by statistics that are given to forward, which are those of the batch: backward knows it."""

    is_given = True
