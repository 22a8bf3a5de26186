"""Contrastive loss of pairs.

Hadsell, Chopra & LeCun, "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006.
Same results as Caffe's contrastive_loss_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import count_of
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.loss import Loss


@layer("ContrastiveLoss", param="contrastive_loss_param")
class ContrastiveLoss(Loss):
    """loss = sum over pairs of (d ** 2 if similar else max(margin - d, 0) ** 2) / (2 N), d = |a - b|.

    bottom  a, b            (N, C), or with 1s behind; both have a gradient
            similar         one number for each of the N, 0 or, its fraction cut off, not
    top     loss            scalar
    param   margin          default 1
            legacy_version  default false; true: max(margin - d ** 2, 0) for dissimilar pairs

    In the gradient of dissimilar pairs Caffe divides by d + 1e-4; so do we.
    """

    bottoms = 3
    no_gradient = (2,)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.difference = Blob((), self.dtype, device=self.context.device)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        a, b, similar = (blob.shape for blob in bottom)
        if a[1:2] != b[1:2] or count_of(a[2:]) != 1 or count_of(b[2:]) != 1:
            raise ShapeError(
                f"takes two vectors for each pair; bottoms {self.named(0, a)} and {self.named(1, b)} are not (N, C)",
                field="bottom",
            )
        if similar[:1] != a[:1] or count_of(similar[1:]) != 1:
            raise ShapeError(
                f"takes one number for each pair of bottom {self.named(0, a)}, got {self.named(2, similar)}",
                field="bottom",
            )
        self.difference.reshape((a[0], count_of(a[1:])))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xp, difference = self.xp, self.difference.data
        a, b = (blob.data.reshape(difference.shape) for blob in bottom[:2])
        xp.subtract(a, b, out=difference)
        squares = xp.square(difference).sum(axis=1)  # d ** 2
        self.similar = xp.trunc(bottom[2].data.ravel()) != 0
        # Of dissimilar pairs: how far they are inside the margin, and d where the gradient divides by it.
        self.distance = None if self.p.legacy_version else xp.sqrt(squares)
        self.inside = xp.maximum(self.p.margin - (squares if self.distance is None else self.distance), 0)
        apart = self.inside if self.distance is None else xp.square(self.inside)
        top[0].data[...] = xp.where(self.similar, squares, apart).sum() / (2 * self.images)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        xp, difference = self.xp, self.difference.data
        if self.distance is None:
            apart = -(self.inside > 0).astype(self.dtype)
        else:
            apart = -self.inside / (self.distance + 1e-4)
        slope = xp.where(self.similar, 1, apart) * (top[0].diff / self.images).astype(self.dtype)
        for blob, wanted, factor in zip(bottom, propagate_down, (slope, -slope), strict=False):
            if wanted:
                xp.multiply(difference, factor[:, None], out=blob.diff.reshape(difference.shape))
