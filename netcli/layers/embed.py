"""Learned vectors for numbered things, such as words.  Same results as Caffe's embed_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer
from netcli.layers.labels import whole_numbers
from netcli.layers.sums import sum_over


@layer("Embed", param="embed_param")
class Embed(Layer):
    """y[...] = W[x[...]] + b.

    bottom  x              any shape, whole numbers 0 .. input_dim-1; has no gradient
    top     y              (*x.shape, num_output)
    blobs   W              (input_dim, num_output)
            b              (num_output,), if bias_term
    param   input_dim, num_output  needed
            bias_term      default true
            weight_filler, bias_filler
    errors  DataError for a number beyond input_dim
    """

    no_gradient = None

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for name in ("num_output", "input_dim"):
            if not getattr(self.p, name):
                raise ShapeError(f"needs {name}, 1 or more", field=f"embed_param.{name}")
        self.add_blob((self.p.input_dim, self.p.num_output), self.p.weight_filler, "embed_param.weight_filler")
        if self.p.bias_term:
            self.add_blob((self.p.num_output,), self.p.bias_filler, "embed_param.bias_filler")

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return [(*bottom_shapes[0], self.p.num_output)]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.plan = self.ops.add_rows(self.blobs[0].shape, bottom[0].shape, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        self.index, _ = whole_numbers(
            self, bottom[0].data, self.p.input_dim, f"input_dim {self.p.input_dim}", what="index"
        )
        y[...] = self.blobs[0].data[self.index]
        if self.p.bias_term:
            y += self.blobs[1].data

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dy = top[0].diff
        if self.learns(0):
            dw, add = self.blobs[0].gradient()
            if not add:
                dw.fill(0)
            self.plan.forward(dw, self.index, dy)
        if self.p.bias_term and self.learns(1):
            self.blobs[1].add_gradient(sum_over(dy, range(dy.ndim - 1)))
