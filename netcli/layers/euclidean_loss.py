"""Half the mean square distance.  Same results as Caffe's euclidean_loss_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import count_of, in_memory_order
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.loss import Loss
from netcli.layers.sums import sum_of_squares


@layer("EuclideanLoss")
class EuclideanLoss(Loss):
    """loss = sum((a - b) ** 2) / (2 N).

    bottom  a, b  (N, ...), as many items in each; both have a gradient
    top     loss  scalar
    """

    no_gradient = ()

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.difference = Blob((), self.dtype, device=self.context.device)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        a, b = bottom
        if count_of(a.shape[1:]) != count_of(b.shape[1:]):
            raise ShapeError(
                f"bottoms {self.named(0, a.shape)} and {self.named(1, b.shape)} differ in items per image",
                field="bottom",
            )
        self.difference.reshape(a.shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        a, b = bottom
        d = self.difference.data
        self.xp.subtract(a.data, b.data.reshape(a.shape), out=d)
        top[0].data[...] = sum_of_squares(self, in_memory_order(d)) / (2 * self.images)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        scale = (top[0].diff / self.images).astype(self.dtype)
        for blob, wanted, factor in zip(bottom, propagate_down, (scale, -scale), strict=True):
            if wanted:
                self.xp.multiply(self.difference.data.reshape(blob.shape), factor, out=blob.diff)
