"""A parameter as a blob, for other layers to take as a bottom.  As Caffe's parameter_layer.hpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.layers.base import Layer, layer
from netcli.layers.blob_shape import blob_shape


@layer("Parameter", param="parameter_param")
class Parameter(Layer):
    """y = w.

    top    y      `shape`
    blobs  w      `shape`
    param  shape        default (), a scalar
           blob_filler  default: zeros until weights are loaded

    The top is a copy, so that a layer in place over it does not change w, and gradients sum over the passes of
    iter_size; in Caffe both are the same memory, and of those passes only the last counts.
    """

    bottoms = 0
    fork_fields = ("blob_filler",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = blob_shape(self.p.shape, "parameter_param.shape")
        self.add_blob(shape, self.p.blob_filler, "parameter_param.blob_filler")

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return [self.blobs[0].shape]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].data[...] = self.blobs[0].data

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if self.learns(0):
            self.blobs[0].add_gradient(top[0].diff)
