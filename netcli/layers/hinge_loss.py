"""One-against-all hinge loss.  Same results as Caffe's hinge_loss_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import count_of, in_memory_order
from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.labels import image_picks, one_label_each, whole_numbers
from netcli.layers.loss import Loss
from netcli.layers.sums import sum_of_squares


@layer("HingeLoss", param="hinge_loss_param")
class HingeLoss(Loss):
    """loss = sum(max(0, 1 - s x) ** norm) / N, s = 1 for the label's score and -1 for all others.

    bottom  x       scores (N, ...)
            labels  one for each of the N: the place of its score, counted in Caffe's order
    top     loss    scalar
    param   norm    L1 (default) or L2: the margins' sum or their squares'
    errors  DataError for a label that has no score
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.is_square: bool = self.p.norm == self.p.L2
        self.margins = Blob((), self.dtype, device=self.context.device)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        one_label_each(self, bottom)
        self.margins.reshape(bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xp, shape, margins = self.xp, bottom[0].shape, self.margins.data
        index, _ = whole_numbers(self, bottom[1].data, count_of(shape[1:]), f"bottom {self.named(0, shape)}")
        self.where = image_picks(shape, index.ravel(), xp)
        margins[...] = bottom[0].data
        margins[self.where] *= -1
        margins += 1
        xp.maximum(margins, 0, out=margins)
        flat = in_memory_order(margins)
        top[0].data[...] = (sum_of_squares(self, flat) if self.is_square else flat.sum()) / self.images

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        dx, scale = bottom[0].diff, (top[0].diff / self.images).astype(self.dtype)
        if self.is_square:
            self.xp.multiply(self.margins.data, 2 * scale, out=dx)
        else:
            self.xp.sign(self.margins.data, out=dx)
            dx *= scale
        dx[self.where] *= -1
