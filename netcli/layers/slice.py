"""A bottom cut along an axis.  Same results as Caffe's slice_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer
from netcli.layers.joint_axis import joint_axis


@layer("Slice", param="slice_param")
class Slice(Layer):
    """The bottom's parts along an axis, one to a top; the opposite of Concat.

    bottom  x            any shape
    top     y...         a single one looks at the bottom's memory
    param   axis         default 1
            slice_dim    the same under its old name
            slice_point  where each top but the first begins, rising; without any all tops are equally large
    """

    only_diffs = True
    tops = (1, None)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        axis = joint_axis(self, shape, "slice_dim")
        shapes = [(*shape[:axis], size, *shape[axis + 1 :]) for size in self._sizes(shape, axis, len(top))]
        for blob, part in zip(top, shapes, strict=True):
            blob.reshape(part)
        if len(top) == 1:
            top[0].share_data(bottom[0])
            top[0].share_diff(bottom[0])
        else:
            self.plan = self.ops.concat(shapes, axis, self.dtype)

    def _sizes(self, shape: Shape, axis: int, tops: int) -> list[int]:
        """The size of each top along the axis."""
        size, points = shape[axis], list(self.p.slice_point)
        if not points:
            if size % tops:
                raise ShapeError(
                    f"axis {axis} of bottom {self.named(0, shape)} can't be cut into {tops} equal parts; "
                    "give slice_point",
                    field="top",
                )
            return [size // tops] * tops
        if len(points) != tops - 1:
            raise ShapeError(
                f"{tops} tops take {tops - 1} slice_point, got {len(points)}", field="slice_param.slice_point"
            )
        edges = [0, *points, size]
        sizes = [end - begin for begin, end in pairwise(edges)]
        if min(sizes) < 1:
            raise ShapeError(
                f"slice_point {', '.join(map(str, points))} do not rise between 0 and {size}, "
                f"axis {axis} of bottom {self.named(0, shape)}",
                field="slice_param.slice_point",
            )
        return sizes

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) > 1:
            self.plan.backward(bottom[0].data, [blob.data for blob in top])

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0] and len(top) > 1:
            self.plan.forward([blob.diff for blob in top], bottom[0].diff)
