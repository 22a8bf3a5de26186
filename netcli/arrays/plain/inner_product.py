"""Matrix product of flattened inputs with weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.plain.activation import rectify
from netcli.arrays.plain.bfloat16 import rounded
from netcli.arrays.work_space import Calls, WorkSpace

BLOCK_BYTES = 4 << 20  # of a weight gradient that is held apart before it is added


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
        self.relu = relu
        self.operand = rounded if bf16 else np.asarray
        self.y_shape = (*x_shape[:axis], num_output)
        self.rows = count_of(x_shape[:axis])
        rows = np.dtype(dtype).itemsize * self.rows
        items = count_of(x_shape[axis:])
        self._results = rows * num_output, rows * items  # bytes, forward and backward to data
        self._rounded = np.dtype(dtype).itemsize * (items * num_output + self.rows * items) * 2 * bf16
        self.transpose = transpose

    def forward(self, x: Any, w: Any, b: Any, y: Any) -> None:
        x, w = self.operand(x).reshape(self.rows, -1), self.operand(w)
        result = np.matmul(x, w if self.transpose else w.T).reshape(self.y_shape)
        if b is None:
            y[...] = result
        else:
            np.add(result, b, out=y)
        if self.relu is not None:
            rectify(y, self.relu)

    def backward_data(self, dy: Any, w: Any, dx: Any) -> None:
        dy, w = self.operand(dy).reshape(self.rows, -1), self.operand(w)
        dx[...] = np.matmul(dy, w.T if self.transpose else w).reshape(dx.shape)

    def backward_weights(self, x: Any, dy: Any, dw: Any, db: Any, add: bool) -> None:
        dy = self.operand(dy).reshape(self.rows, -1)
        if dw is not None:
            x = self.operand(x).reshape(self.rows, -1)
            left, right = (x.T, dy) if self.transpose else (dy.T, x)
            if add:
                step = max(1, BLOCK_BYTES // dw[0].nbytes)
                for i in range(0, len(dw), step):
                    dw[i : i + step] += np.matmul(left[i : i + step], right)
            else:
                np.matmul(left, right, out=dw)
        if db is not None:
            np.add(db if add else 0, dy.sum(0), out=db)

    def work_space(self, calls: Calls) -> WorkSpace:
        return WorkSpace(0, self._rounded + (self._results[0] if not calls.data else max(self._results)))
