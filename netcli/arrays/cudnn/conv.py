"""Convolution by cuDNN: float32 activations of two axes, channels-last, with filters reordered to lie likewise.

What is done to forward's results, and the gradient of biases, are the kernels' of `cuda.conv`; so is what cuDNN has no
plan for.  A few groups are each a dense convolution over some of the channels, which cuDNN works less memory for than
for one of groups.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.choices import Choices
from netcli.arrays.cuda.conv import Conv as General
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.products import Geometry, Products
from netcli.arrays.cudnn.graph import Graph, Tensor, Window
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.unsupported import Unsupported
from netcli.arrays.work_space import Calls, WorkSpace

FEW = 4  # groups
ROLES = {"forward": "xwy", "backward_data": "ywx", "backward_weights": "xyw"}  # of what is multiplied, and the result
WHOLE = 8  # channels: slices of so many begin where cuDNN's kernels may load


class Conv(General):
    """See `Ops.conv`."""

    def _make_way(self, card: CudaDevice, of: Geometry, dtype: Any, bf16: bool, choices: Choices | None) -> Graphs:
        if np.dtype(dtype) != np.float32:
            raise Unsupported(f"cuDNN serves float32 here, not {np.dtype(dtype)}")
        if of.axes != 2:
            raise Unsupported(f"cuDNN serves images here, not {of.axes} axes")
        if of.channels == 1 < of.group:
            raise Unsupported("one channel to a group is faster by kernels of its own")
        if not of.positions * of.pixels * count_of(of.w_shape):
            raise Unsupported("there is nothing to compute")
        return Graphs(card, of, bf16, choices)


class Graphs:
    """The products of a convolution, as `products.Products`: its operations, each made at its first execution."""

    def __init__(self, card: CudaDevice, of: Geometry, bf16: bool, choices: Choices | None) -> None:
        self._card, self._of, self._bf16, self._choices = card, of, bf16, choices
        try:
            _ = card.cudnn
        except ImportError as fault:
            raise Unsupported(f"cuDNN can't be used: {fault}") from None
        self._instead = Products(card, of, np.float32, bf16)
        self.reordered = self._instead.reordered
        is_sliced = of.group <= FEW and of.channels % WHOLE == of.filters % WHOLE == 0
        self._slices = of.group if is_sliced else 1
        groups = of.group // self._slices  # of an operation
        images, filters, height, width = of.y_shape
        self._x = _channels_last((images, of.channels * groups, *of.size), of.channels * of.group)
        self._y = _channels_last((images, filters // self._slices, height, width), filters)
        self._w = _channels_last((filters // self._slices, *of.w_shape[1:]), of.channels)
        kernel, stride, pad, dilation = of.window
        extent = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
        behind = tuple(max(p, e - s - p) for p, e, s in zip(pad, extent, of.size, strict=True))
        self._window = Window(stride, pad, behind, dilation)
        # From a slice to the next, in items.
        self._steps = {"x": of.channels, "y": filters // self._slices, "w": count_of(self._w.shape)}
        self._graphs: dict[str, Graph | None] = {}  # None: cuDNN has no plan

    def _run(self, operation: str, arrays: Sequence[Any]) -> bool:
        """Execute; False where cuDNN has no plan."""
        graph = self._graph(operation)
        if graph is None:
            return False
        a, b, c = arrays
        itemsize = 4
        if self._bf16:
            a, b, itemsize = self._card.bfloat16(0, a), self._card.bfloat16(1, b), 2
        at = [self._card.pointer(each) for each in (a, b, c)]
        if not graph.is_settled:
            try:
                graph.settle(self._choices, at)
            except Unsupported:
                self._graphs[operation] = None
                return False
        steps = [self._steps[role] * size for role, size in zip(ROLES[operation], (itemsize, itemsize, 4), strict=True)]
        for number in range(self._slices):
            graph.run(*(address + number * step for address, step in zip(at, steps, strict=True)))
        return True

    def _graph(self, operation: str) -> Graph | None:
        if operation not in self._graphs:
            a, b, c = (getattr(self, f"_{role}") for role in ROLES[operation])
            try:
                self._graphs[operation] = Graph(self._card, operation, a, b, c, self._window, self._bf16)
            except Unsupported:
                self._graphs[operation] = None
        return self._graphs[operation]

    def forward(self, x: Any, w: Any, y: Any) -> None:
        if not self._run("forward", (x, w, y)):
            self._instead.forward(x, w, y)

    def backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        if not self._run("backward_data", (dy, w, dx)):
            self._instead.backward_data(dy, w, dx)

    def backward_weights(self, x: Any, dy: Any, dw: Any, add: bool) -> None:
        # cuDNN overwrites: with add its result is brought back from other memory.
        into = self.reordered.memory(dw)
        is_apart = add and not self.reordered.is_needed
        if is_apart:
            into = self._card.work("filters", count_of(self._of.w_shape), np.float32)
        if not self._run("backward_weights", (x, dy, into)):
            self._instead.backward_weights(x, dy, dw, add)
        elif is_apart:
            dw[...] += into
        else:
            self.reordered.put(into, dw, add)

    def work_space(self, calls: Calls) -> WorkSpace:
        of = self._of
        rounded = 2 * (of.pixels * of.channels * of.group + count_of(of.y_shape)) if self._bf16 else 0
        found = WorkSpace(0, max(self.reordered.nbytes, 4 * count_of(of.w_shape)) + rounded)
        called = {"forward": calls.forward, "backward_data": calls.data, "backward_weights": calls.weights}
        for operation in (name for name, is_called in called.items() if is_called):
            found = found.beside(self._work_space_of(operation, calls))
        return found

    def _work_space_of(self, operation: str, calls: Calls) -> WorkSpace:
        """By cuDNN's plan, or of what is done in its place."""
        graph = self._graph(operation)
        if graph is not None:
            with contextlib.suppress(Unsupported):
                return WorkSpace(library=graph.nbytes(self._choices))
        return self._instead.work_space(calls)


def _channels_last(shape: Shape, channels: int) -> Tensor:
    """channels: of the whole array, of which this is some."""
    _, _, height, width = shape
    return Tensor(shape, (height * width * channels, 1, width * channels, channels))
