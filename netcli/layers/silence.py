"""A layer that ends blobs nobody else takes, so that they are not printed as the net's outputs."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.layers.base import Layer, layer


@layer("Silence")
class Silence(Layer):
    """Takes any number of bottoms and gives nothing; their gradient is 0.  As Caffe's silence_layer.cpp."""

    bottoms = (1, None)
    tops = 0

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return []

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        for blob, wanted in zip(bottom, propagate_down, strict=True):
            if wanted:
                blob.diff.fill(0)
