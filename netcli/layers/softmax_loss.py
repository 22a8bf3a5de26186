"""Softmax and the multinomial logistic loss of it, in one.  Same results as Caffe's softmax_loss_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.class_loss import ClassLoss
from netcli.layers.labels import picks

# Caffe's FLT_MIN, in float64 too: no item's loss exceeds -log(1.17549e-38) = 87.3365.
SMALLEST = float(np.finfo(np.float32).tiny)


@layer("SoftmaxWithLoss", param="softmax_param")
class SoftmaxWithLoss(ClassLoss):
    """loss = -sum over items of log(max(p[label], FLT_MIN)) / divisor, p = softmax(x) along `axis`.

    bottom  x, labels  as ClassLoss says
    top     loss       scalar
            p          shape of x; optional
    param   softmax_param.axis                       the classes; default 1
            softmax_param.engine                     changes nothing
            loss_param.ignore_label, .normalization  as ClassLoss says
    errors  DataError for a label that is no class
    """

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.score(bottom, top)
        xp, p = self.xp, self.prob.data
        self.where = picks(p.shape, self.class_axis, self.index, xp)
        losses = xp.log(xp.maximum(p[self.where], SMALLEST))
        if self.ignored is not None:
            losses[self.ignored] = 0
        top[0].data[...] = -losses.sum() / self.divisor

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        dx, scale = bottom[0].diff, (top[0].diff / self.divisor).astype(self.dtype)
        # dx = p - 1 at the label, p elsewhere
        self.xp.multiply(self.prob.data, scale, out=dx)
        dx[self.where] -= scale
        if self.ignored is not None:
            self.xp.copyto(dx, 0, where=self.ignored)
