"""Items times a factor that is one for each channel, or as wide as wanted.  Same results as Caffe's scale_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.neuron import Neuron
from netcli.prototxt import schema


@layer("Scale", param="scale_param")
class Scale(Neuron):
    """y = x * s, or x * s + b; s and b are as large as some axes of x in a row, and repeated along the others.

    bottom  x  any shape
            s  optional; x.shape[axis:axis+k], k being its number of axes (0: a scalar); otherwise a blob
    top     y  shape of x; may be x itself
    blobs   s x.shape[axis:axis+num_axes], unless it is a bottom   b, with bias_term, of the shape of s
    param   axis         default 1
            num_axes     default 1; -1: to the last; 0: s is a scalar; nothing where s is a bottom
            filler       of s; default constant 1
            bias_term    default false
            bias_filler  default constant 0
    """

    bottoms = (1, 2)
    reads_bottom = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, shape = self.p, bottom[0].shape
        self.learned = len(bottom) == 1
        if self.learned:
            axis = self.axis(p.axis, len(shape), "scale_param.axis")
            end = len(shape) if p.num_axes == -1 else axis + p.num_axes
            if p.num_axes < -1 or end > len(shape):
                raise ShapeError(
                    f"num_axes is {p.num_axes} from axis {axis} on of bottom {self.named(0, shape)}; "
                    f"it is -1, or 0 to {len(shape) - axis}",
                    field="scale_param.num_axes",
                )
            one = schema.FillerParameter(type="constant", value=1)
            self.add_blob(shape[axis:end], p.filler if p.HasField("filler") else one, "scale_param.filler")
        if p.bias_term:
            self.add_blob(self._factor(bottom).shape, p.bias_filler, "scale_param.bias_filler")

    def _factor(self, bottom: Sequence[Blob]) -> Blob:
        return self.blobs[0] if self.learned else bottom[1]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        x, s = bottom[0].shape, self._factor(bottom).shape
        axis = self.axis(self.p.axis, len(x), "scale_param.axis") if s else 0
        end = axis + len(s)
        if x[axis:end] != s:
            name = "the factor" if self.learned else f"bottom {self.named(1, s)}"
            raise ShapeError(
                f"{name} is not as large as the axes from {axis} on of bottom {self.named(0, x)}"
                + (f": {s}" if self.learned else ""),
                field="bottom",
            )
        self.shared_axes = (axis, end)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return bottom_shapes[:1]

    def _beside(self, s: Any, x: Any) -> Any:
        """s in a shape that broadcasts with x."""
        return s.reshape(*s.shape, *[1] * (x.ndim - self.shared_axes[1]))

    def _sum(self, *arrays: Any) -> Any:
        """The arrays' product, summed over the axes along which s is repeated."""
        first, end = self.shared_axes
        axes = list(range(arrays[0].ndim))
        # Image by image first: in float32 long sums lose digits.
        kept = [*axes[: min(first, 1)], *axes[first:end]]
        sums = self.xp.einsum(*(part for array in arrays for part in (array, axes)), kept)
        return sums.sum(0) if first else sums

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.learned or self.learns(0):
            self.keep(bottom, top)
        x, y = bottom[0].data, top[0].data
        self.xp.multiply(x, self._beside(self._factor(bottom).data, x), out=y)
        if self.p.bias_term:
            y += self._beside(self.blobs[-1].data, y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dy = top[0].diff
        if self.p.bias_term and self.learns(len(self.blobs) - 1):
            self.blobs[-1].add_gradient(self._sum(dy))
        if self.learned:
            if self.learns(0):
                self.blobs[0].add_gradient(self._sum(dy, self.kept(bottom, top)))
        elif propagate_down[1]:
            bottom[1].diff[...] = self._sum(dy, self.kept(bottom, top))
        if propagate_down[0]:
            self.xp.multiply(dy, self._beside(self._factor(bottom).data, dy), out=bottom[0].diff)
