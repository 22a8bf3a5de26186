"""Inner product, by cuBLAS.

P: rows of x, all axes before `axis`  K: items in a row  M: outputs

x goes into Caffe's order before the product where it lies channels-last: a pass over x, which the product with all
weights outweighs.  (The weights' columns could be put into x's order instead, but there are mostly more of them, they
change each iteration, and their gradient would have to go back.)
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.column_sums import ColumnSums
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.epilogue import Epilogue
from netcli.arrays.cuda.launch import Ports, accept
from netcli.arrays.cuda.reorder import caffe_order
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.work_space import Calls, WorkSpace


class InnerProduct:
    """See `Ops.inner_product`."""

    def __init__(
        self,
        card: CudaDevice,
        x_shape: Shape,
        axis: int,
        num_output: int,
        transpose: bool,
        bias: bool,
        dtype: Any,
        relu: float | None = None,
        bf16: bool = False,
    ) -> None:
        accept(dtype)
        self._card, self._dtype, self._bf16 = card, np.dtype(dtype), bf16
        self._transpose = transpose
        self.y_shape = (*x_shape[:axis], num_output)
        self._rows, self._items, self._outputs = count_of(x_shape[:axis]), count_of(x_shape[axis:]), num_output
        self._x = caffe_order(card, "x in Caffe's order", x_shape, dtype)
        self._y = caffe_order(card, "y in Caffe's order", self.y_shape, dtype)
        self._epilogue = Epilogue(card, num_output, self._rows * num_output, dtype, relu)
        of_x, of_y = Ports(card, x_shape, dtype), Ports(card, self.y_shape, dtype)
        of_w = Ports(card, (self._items, num_output) if transpose else (num_output, self._items), dtype)
        of_b = Ports(card, (num_output,), dtype)
        b = of_b.read if bias else of_b.maybe_read
        self._forward = Call(self._run_forward, (of_x.read, of_w.read, b, of_y.written))
        self._backward_data = Call(self._run_backward_data, (of_y.read, of_w.read, of_x.written))
        gradients = (of_w.maybe_changed, of_b.maybe_changed)
        self._backward_weights = Call(self._run_backward_weights, (of_x.read, of_y.read, *gradients))

    @cached_property
    def _sums(self) -> ColumnSums:
        return ColumnSums(self._card, self._rows, self._outputs, self._dtype, self._bf16)

    def _product(self, a: Any, b: Any, c: Any, add: bool = False) -> None:
        self._card.gemm(a, b, c, add, self._bf16)

    def _matrices(self, x: Any, w: Any, y: Any) -> tuple[Any, Any, Any]:
        """Flat arrays as (P, K), (K, M) and (P, M); None stays."""
        rows, items, outputs = self._rows, self._items, self._outputs
        if w is not None:
            w = w.reshape(items, outputs) if self._transpose else w.reshape(outputs, items).T
        return x if x is None else x.reshape(rows, items), w, y.reshape(rows, outputs)

    def forward(self, x: Any, w: Any, b: Any, y: Any) -> None:
        self._forward.run((x, w, b, y))

    def _run_forward(self, x: Any, w: Any, b: Any, y: Any) -> None:
        result = self._y.memory(y)
        self._product(*self._matrices(self._x.read(x), w, result))
        self._epilogue(result, b)
        self._y.put(result, y)

    def backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        self._backward_data.run((dy, w, dx))

    def _run_backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        result = self._x.memory(dx)
        into, of_w, of_y = self._matrices(result, w, self._y.read(dy))
        self._product(of_y, of_w.T, into)
        self._x.put(result, dx)

    def backward_weights(self, x: Any, dy: Any, dw: Any, db: Any, add: bool) -> None:
        self._backward_weights.run((x, dy, dw, db), add)

    def _run_backward_weights(self, x: Any, dy: Any, dw: Any, db: Any, add: bool) -> None:
        dy = self._y.read(dy)
        if dw is not None:
            of_x, into, of_y = self._matrices(self._x.read(x), dw, dy)
            self._product(of_x.T, of_y, into, add)
        if db is not None:
            self._sums(dy, db, add)

    def work_space(self, calls: Calls) -> WorkSpace:
        of_w, items = self._items * self._outputs, self._rows * (self._items + self._outputs)
        rounded = 2 * (max(items, of_w + self._rows * max(self._items, self._outputs)) if self._bf16 else 0)
        return WorkSpace(self._sums.nbytes * calls.weights, self._x.nbytes + self._y.nbytes + rounded)
