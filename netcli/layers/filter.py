"""Images for which a selector is not zero.  Same results as Caffe's filter_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer


@layer("Filter")
class Filter(Layer):
    """y holds the images n of x with selector[n] != 0, in their order.

    bottom  x...      (N, ...) each
            selector  (N,), or (N, 1, ...); has no gradient
    top     y...      (K, ...) each, one for each x; K is known by forward alone, which gives the tops their shape:
                      before it and after a reshape it is N
    """

    bottoms = (2, None)
    tops = (1, None)
    replays = False
    no_gradient = (-1,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(top) != len(bottom) - 1:
            raise ShapeError(
                f"takes a top for each bottom but the selector, the last; got {len(bottom)} bottoms, {len(top)} tops",
                field="top",
            )

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        *shapes, selector = bottom_shapes
        last = len(shapes)
        if not selector or any(size != 1 for size in selector[1:]):
            raise ShapeError(
                f"the selector {self.named(last, selector)} must hold one number for each image", field="bottom"
            )
        for i, shape in enumerate(shapes):
            if shape[:1] != selector[:1]:
                raise ShapeError(
                    f"bottom {self.named(i, shape)} and the selector {self.named(last, selector)} "
                    "differ along axis 0, the batch",
                    field="bottom",
                )
        return shapes

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.index = self.xp.flatnonzero(bottom[-1].data)
        for x, y in zip(bottom, top, strict=False):
            y.reshape((len(self.index), *x.shape[1:]))
            y.data[...] = x.data[self.index]

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for x, y, wanted in zip(bottom, top, propagate_down, strict=False):
            if wanted:
                dx = x.diff
                dx.fill(0)
                dx[self.index] = y.diff
