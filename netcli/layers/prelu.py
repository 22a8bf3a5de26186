"""Rectified linear unit with learned slopes below zero.

He et al., "Delving Deep into Rectifiers", ICCV 2015, arXiv:1502.01852.  Same results as Caffe's prelu_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.neuron import Neuron
from netcli.prototxt import schema


@layer("PReLU", param="prelu_param")
class PReLU(Neuron):
    """y = x where x > 0, a * x elsewhere.

    bottom  x               (N, C, ...)
    top     y               shape of x; may be x itself
    blobs   a               (C,), or () if channel_shared
    param   channel_shared  one slope for all channels; default false
            filler          of a; default constant 0.25
    """

    reads_bottom = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) < 2:
            raise ShapeError(f"takes a bottom of 2 axes or more, got {self.named(0, shape)}", field="bottom")
        filler = self.p.filler if self.p.HasField("filler") else schema.FillerParameter(type="constant", value=0.25)
        self.add_blob(() if self.p.channel_shared else (shape[1],), filler, "prelu_param.filler")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape = bottom[0].shape
        if self.blobs[0].shape not in ((), shape[1:2]):
            raise ShapeError(
                f"has slopes for {self.blobs[0].count} channels, bottom {self.named(0, shape)} has {shape[1]}",
                field="bottom",
            )
        self.plan = self.ops.prelu(shape, self.p.channel_shared, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.keep(bottom, top)
        self.plan.forward(bottom[0].data, self.blobs[0].data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        a = self.blobs[0]
        da = self.xp.empty(a.shape, self.dtype) if self.learns(0) else None
        dx = bottom[0].diff if propagate_down[0] else None
        self.plan.backward(self.kept(bottom, top), a.data, top[0].diff, dx, da)
        if da is not None:
            a.add_gradient(da)
