"""Weighted sums: four arrays by a kernel, then three more at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import Ports, accept
from netcli.arrays.layout import Shape, count_of

MOST = 4  # arrays that a kernel reads


class Sum:
    """See `Ops.sum`."""

    def __init__(
        self, card: CudaDevice, shape: Shape, coefficients: Sequence[float], dtype: Any, relu: float | None = None
    ) -> None:
        accept(dtype)
        self._coefficients, self._relu, self._count = coefficients, relu, count_of(shape)
        self._kernel = card.kernel("sum", "sum", dtype, items=self._count)
        ports = Ports(card, shape, dtype)
        self._call = Call(self._sum, (*[ports.read] * len(coefficients), ports.written))

    def _sum(self, *arrays: Any) -> None:
        *xs, y = arrays
        terms = list(zip(xs, self._coefficients, strict=True))
        some, rest = terms[:MOST], terms[MOST:]
        while True:
            missing = MOST - len(some)
            of_some, factors = zip(*some, strict=True)
            is_last = self._relu is not None and not rest
            numbers = (*factors, *[0.0] * missing, is_last, self._relu or 0.0, self._count)
            self._kernel(*of_some, *[None] * missing, y, *numbers)
            if not rest:
                return
            some, rest = [(y, 1.0), *rest[: MOST - 1]], rest[MOST - 1 :]

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        self._call.run((*xs, y))
