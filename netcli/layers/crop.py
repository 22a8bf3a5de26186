"""A part of a blob, of another blob's size.  Same results as Caffe's crop_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer


@layer("Crop", param="crop_param")
class Crop(Layer):
    """y = x[..., offset : offset + size, ...] along `axis` and all axes behind it, with the sizes of a second bottom.

    bottom  x       any shape
            like    as many axes as x; only its sizes from `axis` on matter, and it has no gradient
    top     y       (*x.shape[:axis], *like.shape[axis:])
    param   axis    default 2
            offset  one for all cropped axes, one for each, or none: 0
    """

    only_diffs = True
    bottoms = 2
    no_gradient = (1,)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        x, like = bottom_shapes
        first = self.axis(self.p.axis, len(x), "crop_param.axis")
        if len(x) != len(like):
            raise ShapeError(
                f"bottoms {self.named(0, x)} and {self.named(1, like)} differ in their number of axes", field="bottom"
            )
        if len(self.p.offset) not in (0, 1, len(x) - first):
            raise ShapeError(
                f"offset is given {len(self.p.offset)} times for the {len(x) - first} axes from axis {first} on; "
                "give one for each, one for all, or none",
                field="crop_param.offset",
            )
        for i, offset in enumerate(self._offsets(len(x) - first), first):
            if offset + like[i] > x[i]:
                raise ShapeError(
                    f"size {like[i]} of {self.named(1, like)} at offset {offset} reaches beyond axis {i} "
                    f"of bottom {self.named(0, x)}",
                    field="crop_param.offset" if self.p.offset else "bottom",
                )
        return [(*x[:first], *like[first:])]

    def _offsets(self, axes: int) -> list[int]:
        """Where the part begins on each of the axes that are cropped."""
        given = list(self.p.offset) or [0]
        return given if len(given) > 1 else given * axes

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape = top[0].shape
        first = self.axis(self.p.axis, len(shape))
        parts = zip(self._offsets(len(shape) - first), shape[first:], strict=True)
        self.window = (..., *(slice(offset, offset + size) for offset, size in parts))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = bottom[0].data[self.window]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            dx = bottom[0].diff
            dx.fill(0)
            dx[self.window] = top[0].diff
