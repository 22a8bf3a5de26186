"""The axis along which Concat joins and Slice cuts."""

from __future__ import annotations

from netcli.arrays.layout import Shape
from netcli.errors import ShapeError
from netcli.layers.base import Layer


def joint_axis(of: Layer, shape: Shape, old: str) -> int:
    """The axis of a Concat or Slice: `axis`, which may be negative, or the field it had before, which may not."""
    p, field = of.p, of.param_field
    if not p.HasField(old):
        return of.axis(p.axis, len(shape), f"{field}.axis")
    if p.HasField("axis"):
        raise ShapeError(f"axis and its old name {old} are both given; leave one out", field=f"{field}.{old}")
    return of.axis(getattr(p, old), len(shape), f"{field}.{old}")
