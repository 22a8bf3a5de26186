"""BatchNorm layers that give their three statistics learning rates, as an older layer of that name had to."""

from __future__ import annotations

from typing import Any

from netcli.prototxt.lines import Document

STATISTICS = 3  # mean, variance, and the factor of both


def needs_batch_norm_upgrade(net: Any) -> bool:
    """Whether a BatchNorm layer has exactly three `param`."""
    return any(_is_old(layer) for layer in net.layer)


def upgrade_batch_norm(net: Document) -> None:
    """Set lr_mult and decay_mult of those to 0, for no solver learns them; all else in them stays."""
    for layer in net.children("layer"):
        if _is_old(layer.message):
            for param in layer.children("param"):
                for name in ("lr_mult", "decay_mult"):
                    param.put(name, 0, param.lines.child(name))


def _is_old(layer: Any) -> bool:
    return bool(layer.type == "BatchNorm" and len(layer.param) == STATISTICS)
