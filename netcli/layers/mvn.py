"""Mean and variance normalisation of each image.  Same results as Caffe's mvn_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer


@layer("MVN", param="mvn_param")
class MVN(Layer):
    """y = (x - mean) / (sqrt(variance) + eps), with the mean and variance of each channel of each image.

    bottom  x                   (N, C, H, W), or fewer axes
    top     y                   shape of x, with 1s behind to make 4 axes, as in Caffe
    param   normalize_variance  default true; false: y = x - mean
            across_channels     default false; true: one mean and variance for an image's channels together
            eps                 default 1e-9
    """

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        shape = bottom_shapes[0]
        if not 1 <= len(shape) <= 4:
            raise ShapeError(f"takes a bottom of 1 to 4 axes, got {self.named(0, shape)}", field="bottom")
        return [(*shape, *(1,) * (4 - len(shape)))]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.work.reshape(top[0].shape)
        self.averaged = (3, 2, 1) if self.p.across_channels else (3, 2)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xp, y, work = self.xp, top[0].data, self.work.data
        x = bottom[0].data.reshape(y.shape)
        xp.subtract(x, self._mean(x), out=y)
        if self.p.normalize_variance:
            xp.square(y, out=work)
            self.deviation = xp.sqrt(self._mean(work)) + self.p.eps
            y /= self.deviation

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        xp, y, dy, work = self.xp, top[0].data, top[0].diff, self.work.data
        dx = bottom[0].diff.reshape(y.shape)
        xp.subtract(dy, self._mean(dy), out=dx)
        if self.p.normalize_variance:
            # dx = (dy - mean(dy) - y mean(dy y)) / deviation
            xp.multiply(dy, y, out=work)
            xp.multiply(y, self._mean(work), out=work)
            dx -= work
            dx /= self.deviation

    def _mean(self, x: Any) -> Any:
        """One axis after the other: in float32 one long sum loses digits."""
        for axis in self.averaged:
            x = x.mean(axis=axis, keepdims=True)
        return x
