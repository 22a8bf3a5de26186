"""Sums over the axes along which a parameter is repeated, and of squares."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netcli.arrays.device import CPU
from netcli.layers.base import Layer


def sum_of_squares(layer: Layer, flat: Any) -> Any:
    """Of an array of one axis."""
    return flat.dot(flat) if layer.context.device is CPU else layer.xp.square(flat).sum()


def sum_over(x: Any, axes: Iterable[int]) -> Any:
    """x summed over `axes`, image by image first: in float32 one long sum loses digits."""
    axes = tuple(axes)
    sums = x.sum(axis=tuple(axis for axis in axes if axis))
    return sums.sum(axis=0) if 0 in axes else sums
