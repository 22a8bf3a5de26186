"""How far a net has come in its data and its draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netcli.net import Net


@dataclass(frozen=True)
class Position:
    """What the next forward pass of a net depends on beside its weights and inputs.

    records: given so far by each source    passes: forward passes made so far
    """

    records: Mapping[str, int]
    passes: int

    @classmethod
    def of(cls, net: Net) -> Position:
        return cls(net.positions(), net.context.passes)

    def seek(self, net: Net) -> None:
        """Let a net go on from here; sources that are not named stay where they are."""
        net.seek(self.records)
        net.context.passes = self.passes
