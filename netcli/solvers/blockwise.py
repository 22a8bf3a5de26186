"""Rules that are worked out in NumPy, a block of a parameter at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from netcli.arrays.ops import Ops
from netcli.solvers import regularise
from netcli.solvers.base import Solver

if TYPE_CHECKING:
    from netcli.net import Parameter

# Items worked on at once.  A rule makes about ten passes over up to six arrays; in blocks of 64 KB
# (float32) they run in the second-level cache, and memory is read and written once.
BLOCK = 16384


class Blockwise(Solver):
    """Base of the rules that give `step`; for inheriting, not for use."""

    scratches: ClassVar[int] = 1  # blocks `step` needs to work in

    def __init__(self, param: Any, parameters: Sequence[Parameter], ops: Ops) -> None:
        super().__init__(param, parameters, ops)
        size = min(BLOCK, max((p.blob.count for p in self.parameters), default=0))
        dtypes = {p.blob.dtype for p in self.parameters}
        self._blocks = {d: [np.empty(size, d) for _ in range(1 + self.scratches)] for d in dtypes}

    def step(self, g: Any, history: list[Any], rate: float, scratch: list[Any]) -> None:
        """Bring the histories up to date with the gradient g, and turn g into what the weights lose.

        All are flat arrays of one size, changed in place; rate is the parameter's own.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def update_parameter(self, index: int, rate: float, decay: float, scale: float) -> None:
        blob = self.parameters[index].blob
        w, dw = blob.data.reshape(-1), blob.diff.reshape(-1)
        histories = [h.reshape(-1) for h in self.histories_of(index)]
        for start in range(0, w.size, BLOCK):
            part = slice(start, start + BLOCK)
            g, *scratch = (block[: w.size - start] for block in self._blocks[blob.dtype])
            regularise.gradient(w[part], dw[part], scale, decay, self.l1, g, scratch[0])
            self.step(g, [h[part] for h in histories], rate, scratch)
            np.subtract(w[part], g, out=w[part])
