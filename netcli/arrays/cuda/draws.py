"""What kernels draw with: the keys of `random.words`, on the card."""

from __future__ import annotations

from typing import Any

from netcli.arrays import random
from netcli.arrays.cuda.device import CudaDevice


class Keys:
    """The keys of the generator's rounds, brought to the card once for each (seed, purpose).

    They stay: a recorded iteration reads them where they were when it was recorded.
    """

    def __init__(self, card: CudaDevice) -> None:
        self._card = card
        self._known: dict[tuple[int, str], Any] = {}

    def array(self, seed: int, purpose: str) -> Any:
        """(20,) uint64, two for each round, as `philox` in kernels/philox.cuh takes them."""
        keys = self._known.get((seed, purpose))
        if keys is None:
            keys = self._card.from_host(random.round_keys(seed, purpose).reshape(-1))
            self._known[seed, purpose] = keys
        return keys
