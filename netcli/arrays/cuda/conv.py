"""Convolution, of any number of axes, by matrix products, or by kernels of its own where groups have one channel.

Activations are channels-last inside; of other than two axes, which lie in Caffe's order, they are reordered.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, Protocol

import numpy as np

from netcli.arrays.call import Call, Port
from netcli.arrays.choices import Choices
from netcli.arrays.cuda.column_sums import ColumnSums
from netcli.arrays.cuda.depthwise import Depthwise
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.epilogue import Epilogue
from netcli.arrays.cuda.launch import Ports, accept
from netcli.arrays.cuda.products import Geometry, Products
from netcli.arrays.cuda.reorder import Reordered
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace


class Way(Protocol):
    """The products of a convolution, of flat arrays, channels-last, with filters as `reordered` puts them.

    forward returns whether it has added b and done the ReLU behind it, too; backward_weights has dw in Caffe's order.
    """

    @property
    def reordered(self) -> Reordered: ...

    def forward(self, x: Any, w: Any, y: Any, b: Any) -> bool: ...

    def backward_data(self, dy: Any, w: Any, dx: Any) -> None: ...

    def backward_weights(self, x: Any, dy: Any, dw: Any, add: bool) -> None: ...

    def work_space(self, calls: Calls) -> WorkSpace:
        """See `work_space.Plan`; calls: those of the convolution."""


class Conv:
    """See `Ops.conv`."""

    def __init__(
        self,
        card: CudaDevice,
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
        accept(dtype)
        of = Geometry(x_shape, num_output, kernel, stride, pad, dilation, group)
        self._card, self._dtype, self._bf16, self._held = card, np.dtype(dtype), bf16, held
        self._of, self.y_shape, self._w_shape = of, of.y_shape, of.w_shape
        self._epilogue = Epilogue(card, num_output, count_of(of.y_shape), dtype, relu)
        is_simple = bias and not (add or affine or prelu) and relu in (None, 0)
        self._way = self._make_way(card, of, dtype, bf16, choices, self._epilogue if is_simple else None)
        self._x, self._y, self._z = (
            _channels_last(card, f"{name} channels-last", shape, dtype)
            for name, shape in (("x", x_shape), ("y", of.y_shape), ("z", of.y_shape))
        )
        of_x, of_y = Ports(card, x_shape, dtype), Ports(card, of.y_shape, dtype)
        of_w, of_channels = Ports(card, of.w_shape, dtype, False), Ports(card, (num_output,), dtype)

        def given(is_there: bool, ports: Ports) -> Port:
            return ports.read if is_there else ports.maybe_read

        per_channel = [given(there, of_channels) for there in (bias, affine, affine, prelu)]
        b, s, t, a = per_channel
        w = of_w.maybe_read if held else of_w.read
        self._forward = Call(self._run_forward, (of_x.read, w, b, of_y.written, s, t, given(add, of_y), a))
        self._hold = Call(self._run_hold, (of_w.read,))
        self._backward_data = Call(self._run_backward_data, (of_y.read, of_w.read, of_x.written))
        gradients = (of_w.maybe_changed, of_channels.maybe_changed)
        self._backward_weights = Call(self._run_backward_weights, (of_x.read, of_y.read, *gradients))
        # Where the arrays behind y stand: s, t, z, a.
        there = (affine, affine, add, prelu)
        self._after = [sum(there[:place]) if there[place] else None for place in range(4)]

    def _make_way(
        self,
        card: CudaDevice,
        of: Geometry,
        dtype: Any,
        bf16: bool,
        choices: Choices | None,
        epilogue: Epilogue | None,
    ) -> Way:
        """What multiplies; raises Unsupported. For inheriting.

        epilogue: what is done to results where that is a bias, and perhaps a ReLU of slope 0, alone
        """
        return (Depthwise if of.channels == 1 else Products)(card, of, dtype, bf16)

    @cached_property
    def _filters(self) -> Any:
        """Those that are held, reordered."""
        return self._card.empty(count_of(self._w_shape), self._dtype)

    @cached_property
    def _sums(self) -> ColumnSums:
        return ColumnSums(self._card, self._of.positions, self.y_shape[1], self._dtype, self._bf16)

    def hold(self, w: Any) -> None:
        self._hold.run((w,))

    def _run_hold(self, w: Any) -> None:
        self._way.reordered.copy(w, self._filters)

    def forward(self, x: Any, w: Any, b: Any, y: Any, *after: Any) -> None:
        more = [None if place is None else after[place] for place in self._after]
        self._forward.run((x, w, b, y, *more))

    def _run_forward(self, x: Any, w: Any, b: Any, y: Any, s: Any, t: Any, z: Any, a: Any) -> None:
        result = self._y.memory(y)
        filters = self._filters if self._held else self._way.reordered.read(w)
        if not self._way.forward(self._x.read(x), filters, result, b):
            self._epilogue(result, b, s, t, None if z is None else self._z.read(z), a)
        self._y.put(result, y)

    def backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        self._backward_data.run((dy, w, dx))

    def _run_backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        result = self._x.memory(dx)
        self._way.backward_data(self._y.read(dy), self._way.reordered.read(w), result)
        self._x.put(result, dx)

    def backward_weights(self, x: Any, dy: Any, dw: Any, db: Any, add: bool) -> None:
        self._backward_weights.run((x, dy, dw, db), add)

    def _run_backward_weights(self, x: Any, dy: Any, dw: Any, db: Any, add: bool) -> None:
        dy = self._y.read(dy)
        if dw is not None:
            self._way.backward_weights(self._x.read(x), dy, dw, add)
        if db is not None:
            self._sums(dy, db, add)

    def work_space(self, calls: Calls) -> WorkSpace:
        way = self._way.work_space(calls)
        kept = way.kept + self._sums.nbytes * calls.weights
        kept += count_of(self._w_shape) * self._dtype.itemsize * self._held
        return WorkSpace(kept, way.passing + self._x.nbytes + self._y.nbytes + self._z.nbytes, way.library)


def _channels_last(card: CudaDevice, use: str, shape: Shape, dtype: Any) -> Reordered:
    """An activation channels-last, as 4-D ones lie already (Note [Channels last])."""
    pixels = 1 if len(shape) == 4 else count_of(shape[2:])
    return Reordered(card, use, shape[0], count_of(shape[1:]) // max(1, pixels), pixels, dtype)
