"""How far a net has come in its data and its draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netcli.net import Net


@dataclass(frozen=True)
class Position:
    """What the next forward pass of a net depends on beside its weights and inputs.

    records: given so far by each source    passes: forward passes made so far
    carried: arrays, of the net's device, that each layer with any keeps from one pass to the next
    """

    records: Mapping[str, int]
    passes: int
    carried: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, net: Net) -> Position:
        with net.context.device.turn:
            carried = {
                layer.name: [blob.data.copy() for blob in layer.carried()] for layer in net.layers if layer.carried()
            }
        return cls(net.positions(), int(net.context.passes), carried)

    def seek(self, net: Net) -> None:
        """Let a net go on from here; sources and layers that are not named stay where they are.

        What a layer kept for batches of another size is left out.
        """
        net.seek(self.records)
        net.context.passes.value = self.passes
        for layer in net.layers:
            for blob, array in zip(layer.carried(), self.carried.get(layer.name, ()), strict=False):
                if blob.shape == array.shape:
                    blob.data[...] = array
