"""Sums and means over the last axes.  Same results as Caffe's reduction_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape, count_of
from netcli.blob import Blob
from netcli.errors import NetcliError
from netcli.layers.base import Layer, layer
from netcli.prototxt import schema

OPERATIONS = ("SUM", "ASUM", "SUMSQ", "MEAN")


@layer("Reduction", param="reduction_param")
class Reduction(Layer):
    """y = coeff * the sum of x, |x| or x ** 2, or the mean of x, over `axis` and all axes behind it.

    bottom  x          any shape
    top     y          x.shape[:axis]
    param   operation  SUM (default), ASUM: of |x|, SUMSQ: of x ** 2, MEAN
            axis       default 0: everything
            coeff      default 1
    """

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.operation: str = schema.ReductionParameter.ReductionOp.Name(self.p.operation)
        if self.operation not in OPERATIONS:
            raise NetcliError(
                f"operation {self.operation} is not in netcli yet; {', '.join(OPERATIONS)} are",
                field="reduction_param.operation",
            )

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        shape = bottom_shapes[0]
        # A scalar is its own sum, with the default axis.
        return [shape[: self.axis(self.p.axis, max(1, len(shape)), "reduction_param.axis")]]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape, first = bottom[0].shape, len(top[0].shape)
        self.coeff = self.p.coeff
        if self.operation == "MEAN":
            self.coeff /= max(1, count_of(shape[first:]))
        self.summed = tuple(range(first, len(shape)))
        self.work.reshape(shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        terms, y = bottom[0].data, top[0].data
        if self.operation == "ASUM":
            terms = self.xp.abs(terms, out=self.work.data)
        elif self.operation == "SUMSQ":
            terms = self.xp.square(terms, out=self.work.data)
        terms.sum(axis=self.summed, out=y)
        y *= self.coeff

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        x, dx, dy = bottom[0].data, bottom[0].diff, top[0].diff
        slope = self.coeff * dy.reshape((*dy.shape, *(1,) * (x.ndim - dy.ndim)))
        if self.operation == "ASUM":
            self.xp.sign(x, out=dx)
            dx *= slope
        elif self.operation == "SUMSQ":
            self.xp.multiply(x, 2 * slope, out=dx)
        else:
            dx[...] = slope
