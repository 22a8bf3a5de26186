"""Cross-entropy of independent yes-or-no targets.  Same results as Caffe's sigmoid_cross_entropy_loss_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.loss import Loss, Normalization


@layer("SigmoidCrossEntropyLoss", param="loss_param")
class SigmoidCrossEntropyLoss(Loss):
    """loss = -sum(t * log(p) + (1 - t) * log(1 - p)) / divisor, p = sigmoid(x).

    bottom  x     (N, ...)
            t     as many targets for each of the N, in 0..1
    top     loss  scalar
    param   loss_param.ignore_label   targets that are this number, their fraction cut off, neither count nor learn
            loss_param.normalization  default BATCH_SIZE, which is N, and not VALID as in other losses
            loss_param.normalize      its old form: true is VALID, false BATCH_SIZE
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.normalization = Normalization.of(self.p, default="BATCH_SIZE")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        x, t = bottom
        if x.count != t.count:
            raise ShapeError(
                f"takes a target for each item; bottom {self.named(0, x.shape)} has {x.count}, "
                f"{self.named(1, t.shape)} {t.count}",
                field="bottom",
            )
        self.work.reshape(x.shape)
        self.sigmoid = self.ops.activation("sigmoid", x.shape, 0.0, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xp, x, losses = self.xp, bottom[0].data, self.work.data
        t = bottom[1].data.reshape(x.shape)
        xp.logaddexp(x, 0, out=losses)  # log(1 + exp(x)), which overflows nowhere; the loss is that less x t
        losses -= x * t
        ignored = self._ignored(t)
        self.divisor = self.normalization.divisor(len(x), x.size, ignored)
        if ignored is not None:
            xp.copyto(losses, 0, where=ignored)
        top[0].data[...] = losses.sum() / self.divisor

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, dx = bottom[0].data, bottom[0].diff
        t = bottom[1].data.reshape(x.shape)
        self.sigmoid.forward(x, dx)
        dx -= t
        dx *= (top[0].diff / self.divisor).astype(self.dtype)
        ignored = self._ignored(t)
        if ignored is not None:
            self.xp.copyto(dx, 0, where=ignored)

    def _ignored(self, t: Any) -> Any:
        return None if self.normalization.ignore is None else self.xp.trunc(t) == self.normalization.ignore
