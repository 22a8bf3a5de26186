"""The operations on an emulated card."""

import pytest

from arrays.emulated.card import EmulatedCard
from netcli.arrays.ops import Ops, bodies

CARD = EmulatedCard()


class CardOps(Ops):
    """Skips the test where an op has no body for cards yet."""

    def __init__(self):
        super().__init__(device=CARD)

    def _plan(self, op, *args):
        if not bodies(op, self.device):
            pytest.skip(f"{op} has no body for cards yet")
        return super()._plan(op, *args)
