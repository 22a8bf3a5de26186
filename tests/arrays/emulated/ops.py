"""The operations on an emulated card."""

from arrays.emulated.card import EmulatedCard
from netcli.arrays.ops import Ops

CARD = EmulatedCard()


class CardOps(Ops):
    """Those of one card for all tests."""

    def __init__(self):
        super().__init__(device=CARD)
