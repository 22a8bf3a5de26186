"""Local response normalisation.

Krizhevsky, Sutskever & Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NIPS 2012,
section 3.3.  Same results as Caffe's lrn_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer


@layer("LRN", param="lrn_param")
class LRN(Layer):
    """y = x * (k + alpha / n * sum(x**2)) ** -beta, the sum running over the n items around x.

    bottom  x            (N, C, H, W)
    top     y            shape of x
    param   norm_region  ACROSS_CHANNELS (default): n = local_size channels; WITHIN_CHANNEL: n = local_size**2
                         pixels, zeros outside the image, and k is 1 whatever is given, as in Caffe
            local_size   default 5; odd
            alpha, beta  default 1 and 0.75; note that alpha is divided by n
            k            default 1
            engine       changes nothing
    """

    reads_top = False

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.p.local_size % 2 == 0:
            raise ShapeError(f"local_size is {self.p.local_size}; it has to be odd", field="lrn_param.local_size")

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        if len(bottom_shapes[0]) != 4:
            raise ShapeError(
                f"takes a bottom of 4 axes (N, C, H, W), got {self.named(0, bottom_shapes[0])}", field="bottom"
            )
        return bottom_shapes

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        p = self.p
        across = p.norm_region == p.ACROSS_CHANNELS
        region, k = ("across", p.k) if across else ("within", 1.0)
        settings = (region, p.local_size, p.alpha, p.beta, k, self.dtype)
        self.plan = self.ops.lrn(bottom[0].shape, *settings, self.context.gradients)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.plan.forward(bottom[0].data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self.plan.backward(bottom[0].data, top[0].diff, bottom[0].diff)
