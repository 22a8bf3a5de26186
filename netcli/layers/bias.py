"""A bias for some of the axes.  Same results as Caffe's bias_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer
from netcli.layers.sums import sum_over


@layer("Bias", param="bias_param")
class Bias(Layer):
    """y = x + b, where b lies along the axes of x from `axis` on and is repeated along the others.

    bottom  x         any shape
            b         x.shape[axis : axis + any number]; a scalar is added to everything; optional
    top     y         shape of x; may be x itself
    blobs   b         with one bottom: x.shape[axis : axis + num_axes]
    param   axis      default 1
            num_axes  with one bottom: default 1; -1: all from `axis` on; 0: a scalar
            filler    of b; default 0
    """

    bottoms = (1, 2)
    in_place = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom) == 1:
            shape, count = bottom[0].shape, self.p.num_axes
            first = self.axis(self.p.axis, len(shape), "bias_param.axis")
            if count < -1:
                raise ShapeError(f"num_axes is {count}, not -1 (all) or more", field="bias_param.num_axes")
            if first + count > len(shape):
                raise ShapeError(
                    f"axis {self.p.axis} and num_axes {count} reach beyond bottom {self.named(0, shape)}",
                    field="bias_param.num_axes",
                )
            end = len(shape) if count == -1 else first + count
            self.add_blob(shape[first:end], self.p.filler, "bias_param.filler")

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return bottom_shapes[:1]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        x = bottom[0].shape
        b = bottom[1].shape if len(bottom) > 1 else self.blobs[0].shape
        first = self.axis(self.p.axis, len(x), "bias_param.axis") if b else len(x)
        if x[first : first + len(b)] != b:
            raise ShapeError(
                f"a bias {b} does not lie along bottom {self.named(0, x)} from axis {first} on",
                field="bottom" if len(bottom) > 1 else "bias_param.axis",
            )
        self.broadcast = (*b, *(1,) * (len(x) - first - len(b)))  # b as an array that broadcasts against x
        self.summed = tuple(i for i in range(len(x)) if not first <= i < first + len(b))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        b = bottom[1] if len(bottom) > 1 else self.blobs[0]
        self.xp.add(bottom[0].data, b.data.reshape(self.broadcast), out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dy = top[0].diff
        if self.blobs:
            if self.learns(0):
                self.blobs[0].add_gradient(sum_over(dy, self.summed))
        elif propagate_down[1]:
            bottom[1].diff[...] = sum_over(dy, self.summed)
        if propagate_down[0] and bottom[0] is not top[0]:
            bottom[0].diff[...] = dy
