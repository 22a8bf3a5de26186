"""Logistic loss of given probabilities.  Same results as Caffe's multinomial_logistic_loss_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import count_of
from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.labels import image_picks, one_label_each, whole_numbers
from netcli.layers.loss import LOG_THRESHOLD, Loss


@layer("MultinomialLogisticLoss")
class MultinomialLogisticLoss(Loss):
    """loss = -sum(log(max(p[label], 1e-20))) / N.

    bottom  p       probabilities (N, ...), such as Softmax gives
            labels  one for each of the N: the place of its probability, counted in Caffe's order
    top     loss    scalar
    errors  DataError for a label that has no probability
    """

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        one_label_each(self, bottom)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xp, shape = self.xp, bottom[0].shape
        index, _ = whole_numbers(self, bottom[1].data, count_of(shape[1:]), f"bottom {self.named(0, shape)}")
        self.where = image_picks(shape, index.ravel(), xp)
        self.picked = xp.maximum(bottom[0].data[self.where], LOG_THRESHOLD)
        top[0].data[...] = -xp.log(self.picked).sum() / self.images

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            dp = bottom[0].diff
            dp.fill(0)
            dp[self.where] = -top[0].diff / self.images / self.picked
