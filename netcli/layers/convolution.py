"""Convolution.

LeCun et al., "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 86(11), 1998;
groups: Krizhevsky, Sutskever & Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
NIPS 2012; dilation: Yu & Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016,
arXiv:1511.07122.  Same results as Caffe's conv_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape, count_of, size_text
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer


def per_axis(p: Any, name: str, axes: int, *, least: int, default: int | None = None) -> Shape:
    """A setting of ConvolutionParameter for each spatial axis.

    It is given once, or once for each axis, or (dilation not) as _h and _w; default None: it has to be given.
    """
    field = f"convolution_param.{name}"
    values = list(getattr(p, name))
    stem = name.removesuffix("_size")
    pair = (f"{stem}_h", f"{stem}_w")
    given = [each for each in pair if each in p.DESCRIPTOR.fields_by_name and p.HasField(each)]
    if given:
        if values:
            raise ShapeError(
                f"{name} and {given[0]} are both given, and say the same thing; leave one out", field=field
            )
        if axes != 2:
            raise ShapeError(
                f"{given[0]} is for 2 spatial axes, the bottom has {axes}; use {name}",
                field=f"convolution_param.{given[0]}",
            )
        values = [getattr(p, each) for each in pair]
        if min(values) < least:
            missing = next(each for each in pair if getattr(p, each) < least)
            raise ShapeError(f"{missing} is missing, or 0", field=f"convolution_param.{given[0]}")
    if not values:
        if default is None:
            raise ShapeError(f"{name} is missing", field="convolution_param")
        values = [default]
    if len(values) not in (1, axes):
        raise ShapeError(f"{name} is given {len(values)} times for {axes} spatial axes", field=field)
    if min(values) < least:
        raise ShapeError(f"{name} is {size_text(tuple(values))}; the least is {least}", field=field)
    return tuple(values * axes if len(values) == 1 else values)


@layer("Convolution", param="convolution_param")
class Convolution(Layer):
    """Filters slide over the spatial axes; each sees the channels of its group.

    bottom  x...  (*images, C, *in): `axis` is that of the channels, the axes behind it are spatial, any
                  number of them; several bottoms have one shape and share the filters
    top     y...  (*images, M, *out), out = (in + 2 pad - (dilation (kernel - 1) + 1)) // stride + 1
    blobs   W (M, C / group, *kernel)   b (M,) with bias_term
    param   num_output M
            kernel_size, stride (1), pad (0), dilation (1): once, or for each axis; for two axes all but
            dilation may be given as kernel_h, kernel_w and so on instead
            group (1), axis (1), bias_term (true), weight_filler, bias_filler
            engine, force_nd_im2col  change nothing
    """

    bottoms = (1, None)
    tops = (1, None)
    same_count = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p, shape = self.p, bottom[0].shape
        self.channel_axis = self.axis(p.axis, len(shape), "convolution_param.axis")
        self.channels = shape[self.channel_axis]
        axes = len(shape) - self.channel_axis - 1
        self.kernel = per_axis(p, "kernel_size", axes, least=1)
        self.stride = per_axis(p, "stride", axes, least=1, default=1)
        self.pad = per_axis(p, "pad", axes, least=0, default=0)
        self.dilation = per_axis(p, "dilation", axes, least=1, default=1)
        if p.num_output < 1:
            raise ShapeError("num_output is missing, or 0", field="convolution_param.num_output")
        if p.group < 1:
            raise ShapeError("group is 0; the least is 1", field="convolution_param.group")
        if p.num_output % p.group:
            raise ShapeError(
                f"num_output {p.num_output} is not divisible by group {p.group}", field="convolution_param.group"
            )
        if self.channels % p.group:
            raise ShapeError(
                f"the {self.channels} channels of bottom {self.named(0, shape)} are not divisible by group {p.group}",
                field="convolution_param.group",
            )
        self.add_blob(
            (p.num_output, self.channels // p.group, *self.kernel), p.weight_filler, "convolution_param.weight_filler"
        )
        if p.bias_term:
            self.add_blob((p.num_output,), p.bias_filler, "convolution_param.bias_filler")

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        for index, shape in enumerate(bottom_shapes):
            if shape != bottom_shapes[0]:
                raise ShapeError(
                    f"bottoms that share filters differ: {self.named(0, bottom_shapes[0])}, {self.named(index, shape)}",
                    field="bottom",
                )
        return [self._top_shape(bottom_shapes[0])] * len(bottom_shapes)

    def _top_shape(self, shape: Shape) -> Shape:
        axis = self.channel_axis
        if len(shape) != axis + 1 + len(self.kernel) or shape[axis] != self.channels:
            raise ShapeError(
                f"filters made for {self.channels} channels and {len(self.kernel)} spatial axes "
                f"do not fit bottom {self.named(0, shape)}",
                field="bottom",
            )
        padded = tuple(size + 2 * pad for size, pad in zip(shape[axis + 1 :], self.pad, strict=True))
        extent = tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))
        if any(e > s for e, s in zip(extent, padded, strict=True)):
            dilated = f", dilated to {size_text(extent)}," if extent != self.kernel else ""
            raise ShapeError(
                f"kernel {size_text(self.kernel)}{dilated} does not fit padded input {size_text(padded)} "
                f"of bottom {self.named(0, shape)}",
                field="convolution_param.kernel_h" if self.p.HasField("kernel_h") else "convolution_param.kernel_size",
            )
        out = ((s - e) // t + 1 for s, e, t in zip(padded, extent, self.stride, strict=True))
        return (*shape[:axis], self.p.num_output, *out)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        x_shape, axis = bottom[0].shape, self.channel_axis
        # The op has one axis of images, and a spatial one at least.
        self._x_shape = (count_of(x_shape[:axis]), self.channels, *(x_shape[axis + 1 :] or (1,)))
        self.plan = self.ops.conv(
            self._x_shape,
            self.p.num_output,
            self.kernel or (1,),
            self.stride or (1,),
            self.pad or (0,),
            self.dilation or (1,),
            self.p.group,
            self.p.bias_term,
            self.dtype,
        )

    def multiply_adds(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return sum(blob.count for blob in top) // int(self.p.num_output) * self.blobs[0].count

    def _w(self, w: Any) -> Any:
        """Filters, or their gradient, in the op's shape."""
        return w if w is None or self.kernel else w[..., None]

    def _put_back(self, array: Any, into: Any) -> None:
        """Write what `into.reshape` gave to be filled to where it belongs, unless it is a view."""
        if not self.xp.may_share_memory(array, into):  # 4 axes of which channels are not axis 1: Note [Channels last]
            into[...] = array.reshape(into.shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        w, b = self._w(self.blobs[0].data), self.blobs[1].data if self.p.bias_term else None
        for x, y in zip(bottom, top, strict=True):
            result = y.data.reshape(self.plan.y_shape)
            self.plan.forward(x.data.reshape(self._x_shape), w, b, result)
            self._put_back(result, y.data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        (dw, *rest), add = self.gradients()
        db = rest[0] if rest else None
        for x, y, wanted in zip(bottom, top, propagate_down, strict=True):
            dy = y.diff.reshape(self.plan.y_shape)
            if dw is not None or db is not None:
                self.plan.backward_weights(x.data.reshape(self._x_shape), dy, self._w(dw), db, add)
                add = True
            if wanted:
                dx = x.diff.reshape(self._x_shape)
                self.plan.backward_data(dy, self._w(self.blobs[0].data), dx)
                self._put_back(dx, x.diff)
