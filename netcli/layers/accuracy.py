"""Share of labels among the k highest scores.  Same results as Caffe's accuracy_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer
from netcli.layers.labels import counts, label_shape, picks, whole_numbers


@layer("Accuracy", param="accuracy_param")
class Accuracy(Layer):
    """The share of items whose label's score is among the `top_k` highest.

    bottom  x          scores; any shape with the classes along `axis`
            labels     whole numbers 0 .. classes-1, as many as x has items off `axis`, in its order; or a share for
                       each class, in the shape of x, of which the largest counts
    top     accuracy   scalar; 0 where every label is ignored
            per class  (classes,): the same among the items of each class, 0 for a class without items; optional
    param   top_k         default 1
            axis          the classes; default 1
            ignore_label  items with this label, which need not be a class, do not count
    errors  DataError for a label that is no class

    Another class with the same score counts as higher, so scores that are all equal are all wrong.  A label whose
    score is NaN is right, as in Caffe, since no score is >= NaN.
    """

    bottoms = 2
    tops = (1, 2)
    no_gradient = None

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x = bottom[0]
        self.class_axis = self.axis(self.p.axis, len(x.shape), "accuracy_param.axis")
        self.classes = x.shape[self.class_axis]
        self.shared = self.classes > 1 and bottom[1].shape == x.shape
        self.label_shape = (
            (*x.shape[: self.class_axis], 1, *x.shape[self.class_axis + 1 :])
            if self.shared
            else label_shape(self, bottom, self.class_axis)
        )
        if self.p.top_k > self.classes:
            raise ShapeError(
                f"top_k {self.p.top_k} exceeds the {self.classes} classes of bottom {self.named(0, x.shape)}",
                field="accuracy_param.top_k",
            )
        top[0].reshape(())
        if len(top) > 1:
            top[1].reshape((self.classes,))

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xp, x = self.xp, bottom[0].data
        ignore = self.p.ignore_label if self.p.HasField("ignore_label") else None
        labels = bottom[1].data
        if self.shared:
            index = labels.argmax(self.class_axis)
            ignored = None if ignore is None else index == ignore
        else:
            index, ignored = whole_numbers(
                self, labels, self.classes, f"bottom {self.named(0, x.shape)}", ignore=ignore
            )
        index = index.reshape(self.label_shape)
        score = x[picks(x.shape, self.class_axis, index, xp)]
        # The label's own score is one of those >= it.
        right = (x >= score).sum(axis=self.class_axis, keepdims=True) <= self.p.top_k
        counted = xp.ones(self.label_shape, bool) if ignored is None else ~ignored.reshape(self.label_shape)
        right &= counted
        top[0].data[...] = right.sum() / counted.sum().clip(1)
        if len(top) > 1:
            rights, items = (counts(self, index, mask, self.classes) for mask in (right, counted))
            top[1].data[...] = rights / items.clip(1)
