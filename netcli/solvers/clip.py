"""Clipping of gradients by their common length.

Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", ICML 2013,
arXiv:1211.5063.  As in Caffe the length is that of the gradients as backward summed them: before the
division by iter_size and before the decay is added.
"""

from __future__ import annotations

from typing import Any


def factor(norm: float, limit: float) -> float:
    """What the gradients are multiplied with: 1, or less where their norm is above `limit`; limit < 0 is none."""
    return limit / norm if 0 <= limit < norm else 1.0


def factor_on(xp: Any, norm: Any, limit: float) -> Any:
    """The same of a norm without axes on a device; limit is not below 0."""
    is_longer = norm > limit
    return xp.where(is_longer, limit / xp.where(is_longer, norm, 1.0), 1.0)
