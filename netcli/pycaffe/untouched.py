"""Filters that no program can have written to: a net keeps them ready."""

from __future__ import annotations

from netcli.arrays.device import CPU
from netcli.net import Net


class Untouched:
    """Sees before each forward whether a program may have written to the filters of its net's convolutions.

    It may from the first look at one on, for it can keep the array, and where another net has the same parameters.
    (What loads weights into the net says so itself.)
    """

    def __init__(self, engine: Net) -> None:
        self._engine = engine
        # On a card biases are kept too, and what a program writes to them is sent when they are looked at.
        kept = slice(1) if engine.context.device is CPU else slice(None)
        self._filters = [blob for layer in engine.layers if layer.type == "Convolution" for blob in layer.blobs[kept]]
        self.is_shared = False  # the parameters, with another net

    def tell(self) -> None:
        """Let the net keep its filters ready, or not from now on."""
        seen = any(blob.data_buffer.is_seen for blob in self._filters)
        self._engine.keep_parameters(not (seen or self.is_shared))
