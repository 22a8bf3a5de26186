"""Deconvolution, or transposed convolution.

Zeiler et al., "Deconvolutional Networks", CVPR 2010; Long, Shelhamer & Darrell, "Fully Convolutional Networks
for Semantic Segmentation", CVPR 2015, arXiv:1411.4038.  Same results as Caffe's deconv_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netcli.arrays.layout import Shape
from netcli.arrays.work_space import Calls
from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.filters import Filters
from netcli.layers.sums import sum_over


@layer("Deconvolution", param="convolution_param")
class Deconvolution(Filters):
    """y is the sum of filters, one at each place of the window, each times an item of x: Convolution backward.

    bottom  x...  (*images, C, *in)
    top     y...  (*images, M, *out), out = stride (in - 1) + dilation (kernel - 1) + 1 - 2 pad
    blobs   W (C, M / group, *kernel)   b (M,) with bias_term
    param   as Filters says
    """

    reads_top = False

    def weight_shape(self) -> tuple[int, int]:
        return self.channels, self.p.num_output // self.p.group

    def out_sizes(self, sizes: Shape, bottom: str) -> Shape:
        return self.window.covered(sizes, bottom)

    def make_plan(self) -> None:
        # The convolution that leads from y to x.
        self.plan = self.conv(self.y_shape, self.channels, bias=False)

    def multiply_adds(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return sum(blob.count for blob in bottom) // self.channels * self.blobs[0].count

    def plan_calls(self, calls: Calls) -> Calls:
        return replace(calls, forward=calls.data, data=calls.forward)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        w = self.weights(self.blobs[0].data)
        for x, y in zip(bottom, top, strict=True):
            result = self.seen(y.data, self.y_shape)
            self.plan.backward_data(self.seen(x.data, self.x_shape), w, result)
            if self.p.bias_term:
                result += self.blobs[1].data.reshape(-1, *(1,) * (result.ndim - 2))
            self.put_back(result, y.data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        learns_bias = self.p.bias_term and self.learns(1)
        for x, y, wanted in zip(bottom, top, propagate_down, strict=True):
            dy = self.seen(y.diff, self.y_shape)
            if self.learns(0):
                dw, add = self.blobs[0].gradient()
                self.plan.backward_weights(dy, self.seen(x.data, self.x_shape), self.weights(dw), None, add)
            if learns_bias:
                self.blobs[1].add_gradient(sum_over(dy, (0, *range(2, dy.ndim))))
            if wanted:
                dx = self.seen(x.diff, self.x_shape)
                self.plan.forward(dy, self.weights(self.blobs[0].data), None, dx)
                self.put_back(dx, x.diff)
