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
        self.xp.add(bottom[0].data, self.beside(self.operand(bottom).data), out=top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dy = top[0].diff
        if self.blobs:
            if self.learns(0):
                self.blobs[0].add_gradient(self.summed(dy))
        elif propagate_down[1]:
            bottom[1].diff[...] = self.summed(dy)
        if propagate_down[0] and bottom[0] is not top[0]:
            bottom[0].diff[...] = dy
