"""Windows laid side by side as channels.  Same results as Caffe's im2col_layer.cpp."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

from netcli.arrays.layout import Shape, count_of
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer
from netcli.layers.window import FORK_FIELDS, Window


@layer("Im2col", param="convolution_param")
class Im2col(Layer):
    """The channels of y at a place are the items of x in the window there, zeros where it shows padding.

    bottom  x  (*images, C, *in): `axis` is that of the channels, the axes behind it are spatial, 1 or more
    top     y  (*images, C * count(kernel), *out), out as of Convolution; channel c of item k of the window
               is c * count(kernel) + k, items counted row by row
    param   kernel_size, stride (1), pad (0), dilation (1), axis (1), and as Filters says kernel_h kernel_w,
            stride_h stride_w, pad_h pad_w, dilation_h dilation_w
            num_output, group, bias_term, weight_filler, bias_filler, engine, force_nd_im2col  change nothing
    """

    fork_fields = FORK_FIELDS

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        self.channel_axis = self.axis(self.p.axis, len(shape), "convolution_param.axis")
        axes = len(shape) - self.channel_axis - 1
        if axes < 1:
            raise ShapeError(
                f"bottom {self.named(0, shape)} has no spatial axis behind its channels", field="convolution_param.axis"
            )
        self.window = Window.of(self.p, axes)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        shape, axis = bottom_shapes[0], self.channel_axis
        if len(shape) != axis + 1 + len(self.window.kernel):
            raise ShapeError(
                f"a window of {len(self.window.kernel)} axes does not fit bottom {self.named(0, shape)}", field="bottom"
            )
        places = self.window.places(shape[axis + 1 :], self.named(0, shape))
        return [(*shape[:axis], shape[axis] * count_of(self.window.kernel), *places)]

    def _parts(self, x: Any, y: Any) -> Iterator[tuple[Any, Any]]:
        """For each item of the window: where it lies on x, and the same places in y."""
        window, before = self.window, (slice(None),) * self.channel_axis
        sizes, places = x.shape[self.channel_axis + 1 :], y.shape[self.channel_axis + 1 :]
        for number, item in enumerate(product(*map(range, window.kernel))):
            inside_x, inside_y = [], []
            for i, size, count, stride, pad, apart in zip(
                item, sizes, places, window.stride, window.pad, window.dilation, strict=True
            ):
                offset = i * apart - pad  # of the item on x, for the first window
                first = max(0, -(offset // stride))  # windows from `first` up to `end` have it inside
                end = max(first, min(count, (size - 1 - offset) // stride + 1))
                inside_x.append(
                    slice(first * stride + offset, end * stride + offset, stride) if first < end else slice(0)
                )
                inside_y.append(slice(first, end))
            on_x = (*before, slice(None), *inside_x)
            in_y = (*before, slice(number, None, count_of(window.kernel)), *inside_y)
            yield x[on_x], y[in_y]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        sizes = bottom[0].shape[self.channel_axis + 1 :]
        if any(self.window.pad) or any(e > size for e, size in zip(self.window.extent, sizes, strict=True)):
            top[0].data.fill(0)
        for x, y in self._parts(bottom[0].data, top[0].data):
            y[...] = x

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff.fill(0)
            for dx, dy in self._parts(bottom[0].diff, top[0].diff):
                dx += dy
