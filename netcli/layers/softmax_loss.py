"""Softmax and the multinomial logistic loss of it, in one.  Same results as Caffe's softmax_loss_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netcli.arrays.layout import count_of
from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.labels import label_shape, picks, whole_numbers
from netcli.layers.loss import Loss, Normalization

# Caffe's FLT_MIN, in float64 too: no item's loss exceeds -log(1.17549e-38) = 87.3365.
SMALLEST = float(np.finfo(np.float32).tiny)


@layer("SoftmaxWithLoss", param="softmax_param")
class SoftmaxWithLoss(Loss):
    """loss = -sum over items of log(max(p[label], FLT_MIN)) / divisor, p = softmax(x) along the class axis.

    bottom  x       scores; any shape with the classes along `axis`
            labels  whole numbers 0 .. classes-1, in any shape of as many items as x has off `axis`, in its order
    top     loss    scalar
            p       shape of x; optional
    param   softmax_param.axis            the classes; default 1
            loss_param.ignore_label       items with this label, which need not be a class, neither count nor learn
            loss_param.normalization      default VALID (see Normalization); BATCH_SIZE counts the axes before `axis`
    errors  DataError for a label that is no class
    """

    tops = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.normalization = Normalization.of(self.param.loss_param)
        self.prob = Blob((), self.dtype, device=self.context.device)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        x = bottom[0]
        self.class_axis = self.axis(self.p.axis, len(x.shape), "softmax_param.axis")
        self.label_shape = label_shape(self, bottom, self.class_axis)
        self.prob.reshape(x.shape)
        self.plan = self.ops.softmax(x.shape, self.class_axis, self.dtype)
        if len(top) > 1:
            top[1].reshape(x.shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, labels = bottom
        xp, p = self.xp, self.prob.data
        index, ignored = whole_numbers(
            labels.data,
            x.shape[self.class_axis],
            f"bottom {self.named(0, x.shape)}",
            ignore=self.normalization.ignore,
            xp=xp,
        )
        self.where = picks(x.shape, self.class_axis, index.reshape(self.label_shape), xp)
        self.ignored = None if ignored is None else ignored.reshape(self.label_shape)
        self.divisor = self.normalization.divisor(count_of(x.shape[: self.class_axis]), labels.count, ignored)
        self.plan.forward(x.data, p)
        losses = xp.log(xp.maximum(p[self.where], SMALLEST))
        if self.ignored is not None:
            losses[self.ignored] = 0
        top[0].data[...] = -losses.sum() / self.divisor
        if len(top) > 1:
            top[1].data[...] = p

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        dx = bottom[0].diff
        scale = (top[0].diff / self.divisor).astype(self.dtype)
        self.xp.multiply(self.prob.data, scale, out=dx)
        dx[self.where] -= scale
        if self.ignored is not None:
            self.xp.copyto(dx, 0, where=self.ignored)
