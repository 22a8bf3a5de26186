"""The same items in another shape.  Same results as Caffe's reshape_layer.cpp."""

from __future__ import annotations

from netcli.arrays.layout import Shape, count_of
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.restated import Restated


@layer("Reshape", param="reshape_param")
class Reshape(Restated):
    """`num_axes` axes from `axis` on are replaced by those of `shape`.

    bottom  x         any shape
    top     y         (*x.shape[:axis], *shape, *x.shape[axis + num_axes:])
    param   shape     a size; 0: that of the bottom's axis at the same place; -1, once: whatever remains
            axis      default 0; -1 is behind the last axis, so that `shape` is put at the end
            num_axes  default -1: all from `axis` on; 0: none, `shape` is put in
    """

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        shape = bottom_shapes[0]
        ndim = len(shape)
        dims = list(self.p.shape.dim)
        start = self.p.axis if self.p.axis >= 0 else ndim + self.p.axis + 1
        if not 0 <= start <= ndim:
            raise ShapeError(f"axis {self.p.axis} is not in a bottom of {ndim} axes", field="reshape_param.axis")
        if self.p.num_axes < -1:
            raise ShapeError(f"num_axes is {self.p.num_axes}, not -1 (all) or more", field="reshape_param.num_axes")
        end = ndim if self.p.num_axes == -1 else start + self.p.num_axes
        if end > ndim:
            raise ShapeError(
                f"axis {self.p.axis} and num_axes {self.p.num_axes} reach beyond the {ndim} axes of the bottom",
                field="reshape_param.num_axes",
            )
        if dims.count(-1) > 1:
            raise ShapeError(f"shape {dims} leaves open more than one size by -1", field="reshape_param.shape")
        for i, size in enumerate(dims):
            if size < -1:
                raise ShapeError(f"shape {dims} has a size below -1", field="reshape_param.shape")
            if size == 0:
                if start + i >= ndim:
                    raise ShapeError(
                        f"the 0 in shape {dims} copies axis {start + i}, and the bottom has {ndim}",
                        field="reshape_param.shape",
                    )
                dims[i] = shape[start + i]
        return [self._complete(shape, (*shape[:start], *dims, *shape[end:]))]

    def _complete(self, shape: Shape, new: Shape) -> Shape:
        """`new` with its -1 filled in, so that it has the items of `shape`."""
        known = count_of(tuple(size for size in new if size != -1))
        if -1 in new and known and count_of(shape) % known == 0:
            new = tuple(count_of(shape) // known if size == -1 else size for size in new)
        if count_of(new) != count_of(shape) or -1 in new:
            raise ShapeError(
                f"a bottom {shape} of {count_of(shape)} items does not fit into {new}", field="reshape_param.shape"
            )
        return new
