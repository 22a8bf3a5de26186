"""What the losses over classes share: labels, softmax, and which items count."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from netcli.arrays.device import CPU
from netcli.arrays.layout import count_of
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Arity
from netcli.layers.labels import label_shape, whole_numbers
from netcli.layers.loss import Loss, Normalization


class ClassLoss(Loss):
    """A loss of p = softmax(x) along the class axis, given a label for each item; for inheriting.

    bottom  x       scores; any shape with the classes along the parameter's `axis`
            labels  whole numbers 0 .. classes-1, in any shape of as many items as x has off `axis`, in its order
    top     loss    scalar
            p       shape of x; optional
    param   loss_param.ignore_label   items with this label, which need not be a class, neither count nor learn
            loss_param.normalization  default VALID (see Normalization); BATCH_SIZE counts the axes before `axis`
            loss_param.normalize      its old form: true is VALID, false BATCH_SIZE

    `score` gives a subclass p and these, in label_shape, which is that of x with 1 for the classes:
    index    each item's label, 0 where it is ignored
    ignored  whether it is; None where none is
    divisor  of the sum over the items
    """

    tops: ClassVar[Arity] = (1, 2)
    takes_shares: ClassVar[bool] = False  # whether labels may be a share for each class, in the shape of x

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.normalization = Normalization.of(self.param.loss_param)
        self.prob = Blob((), self.dtype, device=self.context.device)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape = bottom[0].shape
        self.class_axis = self.axis(self.p.axis, len(shape), f"{self.param_field}.axis")
        self.classes = shape[self.class_axis]
        self.shared = self.takes_shares and self.classes > 1 and bottom[1].shape == shape
        if self.shared and self.normalization.ignore is not None:
            raise ShapeError("no share of the classes can be ignore_label", field="loss_param.ignore_label")
        if not self.shared:
            self.label_shape = label_shape(self, bottom, self.class_axis)
        self.prob.reshape(shape)
        self.softmax = self.ops.softmax(shape, self.class_axis, self.dtype)
        if len(top) > 1:
            top[1].reshape(shape)

    def weight(self, top: Sequence[Blob]) -> Any:
        """The loss's weight, as its diff says, by the divisor: a number, or a card's array without axes."""
        diff = top[0].diff
        if self.context.device is CPU:
            return float(float(diff) / self.divisor)
        return (diff / self.divisor).astype(self.dtype)

    def score(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Read the labels and compute p; raises DataError for a label that is no class."""
        x, labels = bottom[:2]
        self.softmax.forward(x.data, self.prob.data)
        if len(top) > 1:
            top[1].data[...] = self.prob.data
        if self.shared:
            self.divisor = self.normalization.divisor(
                count_of(x.shape[: self.class_axis]), x.count // self.classes, None
            )
            return
        index, ignored = whole_numbers(
            self, labels.data, self.classes, f"bottom {self.named(0, x.shape)}", ignore=self.normalization.ignore
        )
        self.divisor = self.normalization.divisor(count_of(x.shape[: self.class_axis]), labels.count, ignored)
        self.index = index.reshape(self.label_shape)
        self.ignored = None if ignored is None else ignored.reshape(self.label_shape)
