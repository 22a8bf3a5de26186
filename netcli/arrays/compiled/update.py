"""The solvers' rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.call import Call, Port
from netcli.arrays.compiled.compiler import accept, kernel, parts_of
from netcli.arrays.layout import Shape, count_of


class Update:
    """See `Ops.update`."""

    def __init__(self, rule: str, shape: Shape, momentum: float, momentum2: float, delta: float, dtype: Any) -> None:
        accept(dtype, shape)
        # rule -> kernel, histories, and its numbers behind the rate
        name, histories, self._numbers = {
            "SGD": ("momentum", 1, (momentum, 1.0, 0.0)),
            "Nesterov": ("momentum", 1, (momentum, 1 + momentum, momentum)),
            "AdaGrad": ("squares", 1, (1.0, 1.0, delta)),
            "RMSProp": ("squares", 1, (momentum, 1 - momentum, delta)),
            "AdaDelta": ("adadelta", 2, (momentum, 1 - momentum, delta)),
            "Adam": ("adam", 2, (momentum, 1 - momentum, momentum2, 1 - momentum2, delta)),
        }[rule]
        changed = [Port(shape, is_written=True, channels_last=False) for _ in range(1 + histories)]
        ports = [changed[0], Port(shape, channels_last=False), *changed[1:]]
        self._call = Call(kernel("update", name, parts_of(count_of(shape))), ports)

    def update(
        self, w: Any, dw: Any, histories: Sequence[Any], rate: float, decay: float, l1: bool, scale: float
    ) -> None:
        l2_share, l1_share = (0.0, float(decay)) if l1 else (float(decay), 0.0)
        self._call.run((w, dw, *histories), (float(scale), l2_share, l1_share, float(rate), *self._numbers))
