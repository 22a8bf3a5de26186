"""BatchNorm layers that give their three statistics learning rates, as an older layer of that name had to."""

from __future__ import annotations

from typing import Any

from netcli.prototxt.lines import Document


def needs_batch_norm_upgrade(net: Any) -> bool:
    """Whether a BatchNorm layer names exactly three parameters."""
    return any(_is_old(layer) for layer in net.layer)


def upgrade_batch_norm(document: Document) -> None:
    """Set the rates of those parameters to 0: they are statistics, which no solver learns."""
    for layer in document.message.layer:
        if _is_old(layer):
            for param in layer.param:
                param.lr_mult = param.decay_mult = 0


def _is_old(layer: Any) -> bool:
    return bool(layer.type == "BatchNorm" and len(layer.param) == 3)
