"""What Convolution and Deconvolution share: filters, and several bottoms under the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape, count_of
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer
from netcli.layers.window import FORK_FIELDS, Window


class Filters(Layer):
    """Filters in a window that moves over the spatial axes, each for the channels of its group; for inheriting.

    bottom  x...  (*images, C, *in): `axis` is that of the channels, the axes behind it are spatial, any
                  number of them; several bottoms have one shape and share the filters
    top     y...  (*images, M, *out)
    blobs   W     b (M,) with bias_term
    param   num_output M
            kernel_size, stride (1), pad (0), dilation (1): once, or for each axis; for two axes in their place
            kernel_h kernel_w, stride_h stride_w, pad_h pad_w, and TSN's dilation_h dilation_w
            group (1), axis (1), bias_term (true), weight_filler, bias_filler
            engine, force_nd_im2col  change nothing, nor do window.NO_EFFECT

    The op has one axis of images and at least one spatial axis: x_shape and y_shape are bottom and top as it sees them.
    """

    bottoms = (1, None)
    tops = (1, None)
    same_count = True
    fork_fields = FORK_FIELDS

    def weight_shape(self) -> tuple[int, int]:
        """The first two axes of W."""
        raise NotImplementedError(f"{type(self).__name__} has no weight_shape")

    def out_sizes(self, sizes: Shape, bottom: str) -> Shape:
        """The tops' spatial sizes for those of a bottom, whose name is for messages."""
        raise NotImplementedError(f"{type(self).__name__} has no out_sizes")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self._planned_for: Any = None
        p, shape = self.p, bottom[0].shape
        self.channel_axis = self.axis(p.axis, len(shape), "convolution_param.axis")
        self.channels = shape[self.channel_axis]
        self.window = Window.of(p, len(shape) - self.channel_axis - 1)
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
        self.add_blob((*self.weight_shape(), *self.window.kernel), p.weight_filler, "convolution_param.weight_filler")
        if p.bias_term:
            self.add_blob((p.num_output,), p.bias_filler, "convolution_param.bias_filler")

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        shape, axis = bottom_shapes[0], self.channel_axis
        for index, other in enumerate(bottom_shapes):
            if other != shape:
                raise ShapeError(
                    f"bottoms that share filters differ: {self.named(0, shape)}, {self.named(index, other)}",
                    field="bottom",
                )
        if len(shape) != axis + 1 + len(self.window.kernel) or shape[axis] != self.channels:
            raise ShapeError(
                f"filters made for {self.channels} channels and {len(self.window.kernel)} spatial axes "
                f"do not fit bottom {self.named(0, shape)}",
                field="bottom",
            )
        out = self.out_sizes(shape[axis + 1 :], self.named(0, shape))
        return [(*shape[:axis], self.p.num_output, *out)] * len(bottom_shapes)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        before = self._planned_for
        self.x_shape, self.y_shape = self._op_shape(bottom[0].shape), self._op_shape(top[0].shape)
        if not before:
            self.lasting = self.x_shape  # the shape at set-up is taken for one that lasts
        self._planned_for = self.x_shape, self.context.constant
        if self._planned_for != before:
            self.make_plan()

    def make_plan(self) -> None:
        """Make the plan for x_shape and y_shape."""
        raise NotImplementedError(f"{type(self).__name__} has no make_plan")

    def _op_shape(self, shape: Shape) -> Shape:
        axis = self.channel_axis
        return (count_of(shape[:axis]), shape[axis], *(shape[axis + 1 :] or (1,)))

    def conv(self, x_shape: Shape, num_output: int, bias: bool, **after: Any) -> Any:
        """The plan of a convolution with these filters; after: what is done to its result, and more of `Ops.conv`."""
        window = self.window
        return self.ops.conv(
            x_shape,
            num_output,
            window.kernel or (1,),
            window.stride or (1,),
            window.pad or (0,),
            window.dilation or (1,),
            self.p.group,
            bias,
            self.dtype,
            choices=self.ops.choices if self.x_shape == self.lasting else None,
            **after,
        )

    def weights(self, w: Any) -> Any:
        """W, or its gradient, in the op's shape."""
        return w if w is None or self.window.kernel else w[..., None]

    @staticmethod
    def seen(array: Any, shape: Shape) -> Any:
        """A bottom's or top's array in the op's shape: itself, not another view, where it has it."""
        return array if array.shape == shape else array.reshape(shape)

    def put_back(self, array: Any, into: Any) -> None:
        """Write what `seen` gave to be filled to where it belongs, unless it is there already."""
        if array is not into and not self.xp.may_share_memory(array, into):
            # 4 axes of which channels are not axis 1: Note [Channels last]
            into[...] = array.reshape(into.shape)
