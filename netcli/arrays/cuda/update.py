"""The solvers' rules, each by one kernel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.launch import Ports, accept, elementwise
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.varying import Cell, Number


class Update:
    """See `Ops.update`."""

    def __init__(
        self, card: CudaDevice, rule: str, shape: Shape, momentum: float, momentum2: float, delta: float, dtype: Any
    ) -> None:
        accept(dtype)
        # rule -> kernel, histories, and its numbers behind those of the step
        name, histories, numbers = {
            "SGD": ("momentum", 1, (momentum, 1.0, 0.0)),
            "Nesterov": ("momentum", 1, (momentum, 1 + momentum, momentum)),
            "AdaGrad": ("squares", 1, (1.0, 1.0, delta)),
            "RMSProp": ("squares", 1, (momentum, 1 - momentum, delta)),
            "AdaDelta": ("adadelta", 2, (momentum, 1 - momentum, delta)),
            "Adam": ("adam", 2, (momentum, 1 - momentum, momentum2, 1 - momentum2, delta)),
        }[rule]
        self._numbers = (*numbers, count_of(shape))
        self._rate, self._scale = Cell(card), Cell(card)
        of = Ports(card, shape, dtype, channels_last=False)
        ports = (of.changed, of.read, *[of.changed] * histories)
        self._call = elementwise(card, "update", name, shape, dtype, ports)

    def update(
        self, w: Any, dw: Any, histories: Sequence[Any], rate: Number, decay: float, l1: bool, scale: Number
    ) -> None:
        shares = (0.0, float(decay)) if l1 else (float(decay), 0.0)
        cells = self._rate.array(rate), self._scale.array(scale)
        self._call.run((w, dw, *histories), *cells, *shares, *self._numbers)
