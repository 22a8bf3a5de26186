"""Images picked by number.  Same results as Caffe's batch_reindex_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer
from netcli.layers.labels import whole_numbers


@layer("BatchReindex")
class BatchReindex(Layer):
    """y[k] = x[index[k]].

    bottom  x      (N, ...)
            index  (K,) whole numbers 0 .. N-1, in any order, any number of times
    top     y      (K, ...)
    errors  DataError for an index that is no image
    """

    bottoms = 2
    no_gradient = (1,)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        x, index = bottom_shapes
        if not x or len(index) != 1:
            raise ShapeError(
                f"takes images and a list of their numbers, got bottoms {self.named(0, x)} and {self.named(1, index)}",
                field="bottom",
            )
        return [(index[0], *x[1:])]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.plan = self.ops.add_rows(bottom[0].shape, bottom[1].shape, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0].data
        self.index, _ = whole_numbers(self, bottom[1].data, len(x), f"bottom {self.named(0, x.shape)}", what="index")
        top[0].data[...] = x[self.index]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            dx = bottom[0].diff
            dx.fill(0)
            self.plan.forward(dx, self.index, top[0].diff)
