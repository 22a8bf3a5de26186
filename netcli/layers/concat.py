"""Bottoms joined along an axis.  Same results as Caffe's concat_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer
from netcli.layers.joint_axis import joint_axis


@layer("Concat", param="concat_param")
class Concat(Layer):
    """Bottom after bottom along an axis.

    bottom  x...        shapes that agree but for that axis; a single one is looked at, not copied
    top     y
    param   axis        default 1
            concat_dim  the same under its old name
            engine      changes nothing
    """

    only_diffs = True
    bottoms = (1, None)
    fork_fields = ("engine",)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        first = bottom_shapes[0]
        axis = joint_axis(self, first, "concat_dim")
        for index, shape in enumerate(bottom_shapes):
            if len(shape) != len(first) or shape[:axis] + shape[axis + 1 :] != first[:axis] + first[axis + 1 :]:
                raise ShapeError(
                    f"bottoms differ off axis {axis}: {self.named(0, first)}, {self.named(index, shape)}",
                    field="bottom",
                )
        return [(*first[:axis], sum(shape[axis] for shape in bottom_shapes), *first[axis + 1 :])]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if len(bottom) == 1:
            top[0].share_data(bottom[0])
            top[0].share_diff(bottom[0])
        else:
            shapes = [blob.shape for blob in bottom]
            self.plan = self.ops.concat(shapes, joint_axis(self, shapes[0], "concat_dim"), self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom) > 1:
            self.plan.forward([blob.data for blob in bottom], top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if len(bottom) > 1:
            wanted = zip(bottom, propagate_down, strict=True)
            self.plan.backward(top[0].diff, [blob.diff if down else None for blob, down in wanted])
