"""A bias for some of the axes.  Same results as Caffe's bias_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.along import Along
from netcli.layers.base import layer


@layer("Bias", param="bias_param")
class Bias(Along):
    """y = x + b, where b is as large as some axes of x in a row, and repeated along the others.

    bottom  x, b    as Along says of s
    top     y       shape of x; may be x itself
    blobs   b       unless it is a bottom
    param   axis, num_axes  as Along says
            filler          of b; default constant 0
    """

    reads_top = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom) == 1:
            self.add_blob(self.blob_shape(bottom), self.p.filler, "bias_param.filler")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.plan.forward(bottom[0].data, None, self.operand(bottom).data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dy, b = top[0].diff, self.operand(bottom)
        if self.learns(0) if self.blobs else propagate_down[1]:
            db = self.xp.empty(b.shape, self.dtype)
            self.plan.backward(None, None, dy, None, None, db)
            if self.blobs:
                b.add_gradient(db)
            else:
                b.diff[...] = db
        if propagate_down[0] and bottom[0] is not top[0]:
            bottom[0].diff[...] = dy
