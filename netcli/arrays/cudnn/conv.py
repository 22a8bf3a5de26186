"""Convolution by cuDNN: float32 activations of two axes, channels-last, with filters reordered to lie likewise.

What is done to forward's results is cuDNN's where that is a bias, or a bias and a ReLU of slope 0, and where it has a
plan for it (Note [In one pass]); the rest, the gradient of biases, and what cuDNN has no plan for are the kernels' of
`cuda.conv`.  A few groups are each a dense convolution over some of the channels, which cuDNN works in less memory for
than for one of groups.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.choices import Choices
from netcli.arrays.cuda.conv import Conv as General
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.epilogue import Epilogue
from netcli.arrays.cuda.products import Geometry, Products
from netcli.arrays.cudnn.graph import BIAS, BIAS_AND_RELU, LOOKS, Graph, Tensor, Window
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.unsupported import Unsupported
from netcli.arrays.work_space import Calls, WorkSpace

FEW = 4  # groups
ONE, TWO = "one", "two"  # passes for forward and what is behind
IN_ONE = "forward and what is behind"
# Of what is multiplied, and the result; b: the bias.
ROLES = {"forward": "xwy", IN_ONE: "xwyb", "backward_data": "ywx", "backward_weights": "xyw"}
WHOLE = 8  # channels: slices of so many begin where cuDNN's kernels may load


class Conv(General):
    """See `Ops.conv`."""

    def _make_way(
        self,
        card: CudaDevice,
        of: Geometry,
        dtype: Any,
        bf16: bool,
        choices: Choices | None,
        epilogue: Epilogue | None,
    ) -> Graphs:
        if np.dtype(dtype) != np.float32:
            raise Unsupported(f"cuDNN serves float32 here, not {np.dtype(dtype)}")
        if of.axes != 2:
            raise Unsupported(f"cuDNN serves images here, not {of.axes} axes")
        if of.channels == 1 < of.group:
            raise Unsupported("one channel to a group is faster by kernels of its own")
        if not of.positions * of.pixels * count_of(of.w_shape):
            raise Unsupported("there is nothing to compute")
        # In strict float32 cuDNN has with a bias only what it falls back to.
        return Graphs(card, of, bf16, choices, epilogue if bf16 or card.tf32 else None)


class Graphs:
    """The products of a convolution, as `products.Products`: its operations, each made at its first execution.

    epilogue: what is done to forward's results, if cuDNN may do it in the same pass, Note [In one pass]
    """

    def __init__(
        self, card: CudaDevice, of: Geometry, bf16: bool, choices: Choices | None, epilogue: Epilogue | None
    ) -> None:
        self._epilogue = epilogue
        self._in_one: bool | None = None if epilogue else False  # None: not known yet
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
        self._steps["b"] = self._steps["y"]
        self._graphs: dict[str, Graph | None] = {}  # None: cuDNN has no plan

    def _run(self, operation: str, arrays: Sequence[Any]) -> bool:
        """Execute; False where cuDNN has no plan."""
        graph = self._graph(operation)
        if graph is None:
            return False
        a, b, *others = arrays
        itemsize = 4
        if self._bf16:
            a, b, itemsize = self._card.bfloat16(0, a), self._card.bfloat16(1, b), 2
        at = [self._card.pointer(each) for each in (a, b, *others)]
        if not graph.is_settled:
            try:
                graph.settle(self._choices, at)
            except Unsupported:
                self._graphs[operation] = None
                return False
        sizes = (itemsize, itemsize, *[4] * len(others))
        steps = [self._steps[role] * size for role, size in zip(ROLES[operation], sizes, strict=True)]
        for number in range(self._slices):
            graph.run(*(address + number * step for address, step in zip(at, steps, strict=True)))
        return True

    def _graph(self, operation: str) -> Graph | None:
        if operation not in self._graphs:
            a, b, c = (getattr(self, f"_{role}") for role in ROLES[operation][:3])
            name, behind = operation, ""
            if operation == IN_ONE and self._epilogue is not None:
                name, behind = "forward", BIAS if self._epilogue.relu is None else BIAS_AND_RELU
            try:
                self._graphs[operation] = Graph(self._card, name, a, b, c, self._window, self._bf16, behind)
            except Unsupported:
                self._graphs[operation] = None
        return self._graphs[operation]

    def forward(self, x: Any, w: Any, y: Any, b: Any) -> bool:
        if self._in_one is None:
            self._in_one = self._finds_in_one(x, w, y, b)
        if self._in_one:
            return self._run(IN_ONE, (x, w, y, b))
        if not self._run("forward", (x, w, y)):
            self._instead.forward(x, w, y, b)
        return False

    def _finds_in_one(self, x: Any, w: Any, y: Any, b: Any) -> bool:
        """Whether cuDNN does what is behind in the same pass, rightly, and not more slowly; y may be written to."""
        graph, choices = self._graph(IN_ONE), self._choices
        if graph is None:
            return False
        key = f"{graph.key}: passes"
        known = next(choices.known(graph.machine, key), "") if choices is not None else ""
        way = known
        if known != TWO:
            way = ONE if self._run(IN_ONE, (x, w, y, b)) and self._keeps_what_is_not_finite(x, w, y, b) else TWO
            if way == ONE != known and choices is not None and choices.may_measure:
                way = self._faster(choices, x, w, y, b)
                choices.keep(graph.machine, key, way, on_disk=True)
        if choices is not None:
            choices.take(key, way)
        return way == ONE

    def _keeps_what_is_not_finite(self, x: Any, w: Any, y: Any, b: Any) -> bool:
        """Note [In one pass]: a ReLU that turns what is no number into 0 would hide that a net has gone astray, and
        cuDNN promises nothing there.  So a plan is looked at with biases that are no numbers, or infinite.
        """
        strange = self._card.empty(b.size, np.float32)
        strange.fill(np.nan)
        strange[1::2].fill(np.inf)
        self._run(IN_ONE, (x, w, y, strange))
        return not self._card.xp.isfinite(y[: y.size // self._x.shape[0]]).any()  # of the first image

    def _faster(self, choices: Choices, x: Any, w: Any, y: Any, b: Any) -> str:
        def in_one() -> None:
            self._run(IN_ONE, (x, w, y, b))

        def in_two() -> None:
            if not self._run("forward", (x, w, y)):
                self._instead.forward(x, w, y, b)
            if self._epilogue is not None:
                self._epilogue(y, b)

        in_two()  # once before, with timings of its own
        with choices.measuring():
            one, two = (min(self._card.seconds(run) for _ in range(LOOKS)) for run in (in_one, in_two))
        return ONE if one <= two else TWO

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
        if calls.forward and self._in_one is not False and (graph := self._graph(IN_ONE)) is not None:
            with contextlib.suppress(Unsupported):
                found = found.beside(WorkSpace(library=graph.nbytes(self._choices)))
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
