"""A blob for several readers; the net puts one in wherever a blob is read more than once.

Same results as Caffe's split_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.layers.base import Layer, layer


@layer("Split")
class Split(Layer):
    """Every top is the bottom; the gradients that come back are summed.

    bottom  x     any shape
    top     y...  shape of x; its data is the bottom's own memory
    """

    only_diffs = True
    tops = (1, None)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return bottom_shapes

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for blob in top:
            blob.reshape(bottom[0].shape)
            blob.share_data(bottom[0])
        self.plan: Any = None  # made at the first backward: until then it is not known which tops have a gradient

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """The tops have the bottom's data already."""

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            diffs = [blob.diff for blob, has in zip(top, self.top_has_gradient, strict=True) if has]
            if self.plan is None:
                self.plan = self.ops.sum(bottom[0].shape, [1.0] * len(diffs), self.dtype)
            self.plan.forward(diffs, bottom[0].diff)
