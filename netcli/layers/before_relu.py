"""What layers share whose operation can have a ReLU behind it in the same pass."""

from __future__ import annotations

from netcli.layers.absorbing import Absorbed, Chance
from netcli.layers.base import Layer


class BeforeReLU(Layer):
    """Absorbs the forward of a ReLU; for inheriting, by a layer that makes its plan for `slope` in `reshape`.

    ReLU's own backward goes by the sign of its top, so that it stays as it is where it works in place.
    """

    relu: Layer | None = None  # which it has absorbed

    @property
    def slope(self) -> float | None:
        """The ReLU's negative_slope; None without one."""
        return None if self.relu is None else float(self.relu.p.negative_slope)

    def absorb(self, following: Layer, chance: Chance) -> Absorbed:
        if self.relu is not None or following.type != "ReLU" or (chance.backward and not chance.in_place):
            return Absorbed.NOTHING
        self.relu = following
        return Absorbed.FORWARD if chance.backward else Absorbed.ALL

    def release(self) -> None:
        self.relu = None
