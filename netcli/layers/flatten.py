"""Several axes as one.  Same results as Caffe's flatten_layer.cpp."""

from __future__ import annotations

from netcli.arrays.layout import Shape, count_of
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.restated import Restated


@layer("Flatten", param="flatten_param")
class Flatten(Restated):
    """The axes from `axis` to `end_axis`, both included, become one.

    bottom  x         any shape
    top     y         (*x.shape[:axis], product of the axes between, *x.shape[end_axis+1:])
    param   axis      default 1
            end_axis  default -1, the last; axis - 1 puts in an axis of size 1
    """

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        shape = bottom_shapes[0]
        first = self.axis(self.p.axis, len(shape), "flatten_param.axis")
        last = self.axis(self.p.end_axis, len(shape), "flatten_param.end_axis")
        if first > last + 1:
            raise ShapeError(
                f"axis {self.p.axis} lies behind end_axis {self.p.end_axis} in a bottom of {len(shape)} axes",
                field="flatten_param.axis",
            )
        return [(*shape[:first], count_of(shape[first : last + 1]), *shape[last + 1 :])]
