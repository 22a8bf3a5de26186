"""Blobs that a program fills before forward.  As Caffe's input_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.layers.base import Layer, layer
from netcli.layers.blob_shape import blob_shape
from netcli.layers.each_top import for_each_top


@layer("Input", param="input_param")
class Input(Layer):
    """Tops of given shapes, whose data are whatever has been put there.

    top    one or more
    param  shape  one for all tops, one for each, or none: then the program reshapes the blobs before it fills them
    """

    bottoms = 0
    tops = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shapes = [blob_shape(message, "input_param.shape") for message in self.p.shape]
        # Here and not in reshape, which would undo what a program has made of them.
        for blob, shape in zip(top, for_each_top(shapes, len(top), "input_param.shape", needed=False), strict=False):
            blob.reshape(shape)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        pass
