"""Items times a factor that is one for each channel, or as wide as wanted.  Same results as Caffe's scale_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.blob import Blob
from netcli.layers.along import Along
from netcli.layers.base import layer
from netcli.prototxt import schema


@layer("Scale", param="scale_param")
class Scale(Along):
    """y = x * s, or x * s + b; s and b are as large as some axes of x in a row, and repeated along the others.

    bottom  x, s  as Along says
    top     y     shape of x; may be x itself
    blobs   s     unless it is a bottom
            b     with bias_term, of the shape of s
    param   axis, num_axes  as Along says
            filler          of s; default constant 1
            bias_term       default false
            bias_filler     default constant 0
    """

    reads_top = False
    reads_bottom = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.learned = len(bottom) == 1
        if self.learned:
            one = schema.FillerParameter(type="constant", value=1)
            filler = self.p.filler if self.p.HasField("filler") else one
            self.add_blob(self.blob_shape(bottom), filler, "scale_param.filler")
        if self.p.bias_term:
            self.add_blob(self.operand(bottom).shape, self.p.bias_filler, "scale_param.bias_filler")

    def folds(self) -> bool:
        channels = {blob.shape for blob in self.blobs}
        return self.learned and self.p.axis == 1 and len(channels) == 1 and len(channels.pop()) == 1

    def fold(self, factor: Any, summand: Any) -> None:
        scale = self.blobs[0].data
        factor *= scale
        summand *= scale
        if self.p.bias_term:
            summand += self.blobs[1].data

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.learned or self.learns(0):
            self.keep(bottom, top)
        b = self.blobs[-1].data if self.p.bias_term else None
        self.plan.forward(bottom[0].data, self.operand(bottom).data, b, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        s = self.operand(bottom)
        wants_s = self.learns(0) if self.learned else propagate_down[1]
        wants_b = self.p.bias_term and self.learns(len(self.blobs) - 1)
        ds, db = (self.xp.empty(s.shape, self.dtype) if wanted else None for wanted in (wants_s, wants_b))
        x = self.kept(bottom, top) if wants_s else None
        self.plan.backward(x, s.data, top[0].diff, bottom[0].diff if propagate_down[0] else None, ds, db)
        if wants_b:
            self.blobs[-1].add_gradient(db)
        if wants_s and self.learned:
            self.blobs[0].add_gradient(ds)
        elif wants_s:
            bottom[1].diff[...] = ds
