"""Softmax and the multinomial logistic loss of it, in one.  Same results as Caffe's softmax_loss_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.ops import SMALLEST
from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.class_loss import ClassLoss


@layer("SoftmaxWithLoss", param="softmax_param")
class SoftmaxWithLoss(ClassLoss):
    """loss = -sum over items of log(max(p[label], FLT_MIN)) / divisor, p = softmax(x) along `axis`.

    bottom  x, labels  as ClassLoss says; or labels in the shape of x, a share q for each class, as the Mix layer makes:
                       then loss = -sum of q log(max(p, FLT_MIN)) / divisor
    top     loss       scalar
            p          shape of x; optional
    param   softmax_param.axis                       the classes; default 1
            softmax_param.engine                     changes nothing
            loss_param.ignore_label, .normalization  as ClassLoss says
    errors  DataError for a label that is no class
    """

    only_diffs = True
    takes_shares = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.shares = Blob((0,), self.dtype, device=self.context.device)  # q, for backward

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if self.shared:
            self.shares.reshape(bottom[0].shape)
        else:
            self.plan = self.ops.log_loss(bottom[0].shape, self.class_axis, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.score(bottom, top)
        if self.shared:
            q = self.shares.data
            q[...] = bottom[1].data
            logarithms = self.xp.log(self.xp.maximum(self.prob.data, SMALLEST))
            top[0].data[...] = -(q * logarithms).sum(dtype=float) / self.divisor
            return
        if self.ignored is not None:
            self.xp.copyto(self.index, -1, where=self.ignored)
        top[0].data[...] = self.plan.forward(self.prob.data, self.index) / self.divisor

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0] and self.shared:
            q, p, dx = self.shares.data, self.prob.data, bottom[0].diff
            self.xp.multiply(p, q.sum(self.class_axis, keepdims=True), out=dx)
            dx -= q
            dx *= self.weight(top)
        elif propagate_down[0]:
            self.plan.backward(self.prob.data, self.index, self.weight(top), bottom[0].diff)
