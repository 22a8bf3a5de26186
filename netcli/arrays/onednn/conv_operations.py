"""What oneDNN has for a convolution: its operations, in the layouts that activations may have in them."""

from __future__ import annotations

from typing import Any, NamedTuple

from netcli.arrays.layout import Shape, count_of, size_text
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import (
    Attributes,
    Layout,
    Operation,
    accept,
    activation,
    fastest,
    free,
    operands,
    plain,
)
from netcli.arrays.onednn.program import ITEMSIZE
from netcli.arrays.unsupported import Unsupported

LARGE_IMAGE = 48 * 48  # pixels; see Note [Blocked gradients]
BLOCKED_BYTES = 512 << 20  # of scratch memory spent on it at most


class After(NamedTuple):
    """What is done to forward's results, as `Ops.conv` says."""

    relu: float | None
    add: bool
    affine: bool
    prelu: bool


class ConvOperations:
    """Shapes and operations of `Ops.conv`.

    w_shape      of the filters; grouped: the same with the axis that oneDNN wants for groups
    b            the biases' layout, None without
    of_channels  that of numbers for each channel, beside y
    after        what is done to forward's results; held: whether its filters stay; bf16: Note [bfloat16]
    by_rule      forward's operation where nothing is measured, and the hint of the backward ones

    `forward`, `backward_data` and `backward_weights` make the operations of these names in a layout, or raise
    Unsupported.
    """

    def __init__(
        self,
        x_shape: Shape,
        num_output: int,
        kernel: Shape,
        stride: Shape,
        pad: Shape,
        dilation: Shape,
        group: int,
        bias: bool,
        dtype: Any,
        after: After,
        held: bool,
        bf16: bool,
    ) -> None:
        room = [
            size + 2 * p - (d * (k - 1) + 1) for size, k, p, d in zip(x_shape[2:], kernel, pad, dilation, strict=True)
        ]
        out = tuple(max(0, each) // s + 1 for each, s in zip(room, stride, strict=True))
        self.x_shape, self.y_shape = x_shape, (x_shape[0], num_output, *out)
        accept(dtype, self.x_shape, self.y_shape)
        self.after, self.held, self.bf16 = after, held, bf16
        self.operands = operands(bf16)  # how products take them
        if bf16 and x_shape[-1] < stride[-1]:  # by AMX the gradient of filters takes in what its scratch memory held
            raise Unsupported(f"oneDNN goes wrong with bfloat16 images narrower than the stride, {stride[-1]}")
        self.settings = (num_output, kernel, stride, pad, dilation, group, bias, dtype)
        self.w_shape = (num_output, x_shape[1] // group, *kernel)
        # oneDNN wants an axis for the groups.
        self.grouped = self.w_shape if group == 1 else (group, num_output // group, *self.w_shape[1:])
        self.b = plain((num_output,)) if bias else None
        self.of_channels = plain((1, num_output, *[1] * len(kernel)))  # numbers for each channel, beside y
        # oneDNN counts dilation from 0, and cells of padding on either side.
        behind = tuple(p + max(0, -each) for p, each in zip(pad, room, strict=True))
        self.window = (stride, tuple(d - 1 for d in dilation), pad, behind)
        self.by_rule = fastest(self.forward, self.layouts("forward").values())

    def layouts(self, operation: str) -> dict[str, Layout]:
        """Where activations may lie in an operation, the first by rule."""
        if len(self.x_shape) != 4:  # C-contiguous, an order that oneDNN's fast kernels do not have
            return {"free": free}
        if operation == "backward_weights" and self._blocked_gradients():
            return {"free": free, "channels-last": activation}
        return {"channels-last": activation, "free": free}

    def _blocked_gradients(self) -> bool:
        """Note [Blocked gradients]: by rule channels-last or, where it pays to reorder x and dy, oneDNN's own order.

        Measured (AVX-512, whole nets' layers): with up to 4 channels the gradient of the filters takes 0.4 to
        0.9 of the time that way, with whole blocks of 16 channels in large images 0.65 to 0.98, else 1 to 2.
        """
        channels, filters = self.x_shape[1], self.y_shape[1]
        few = channels <= 4
        large = (
            count_of(self.w_shape[2:]) > 1
            and channels % 16 == filters % 16 == 0
            and count_of(self.x_shape[2:]) >= LARGE_IMAGE
        )
        return self.w_shape == self.grouped and (few or large) and self.may_copy()

    def may_copy(self) -> bool:
        """Whether x and y may be reordered into scratch memory."""
        return ITEMSIZE * (count_of(self.x_shape) + count_of(self.y_shape)) <= BLOCKED_BYTES

    def forward(self, layout: Layout) -> Operation:
        of_x, of_w = layout(self.x_shape, self.operands), free(self.grouped, self.operands)
        arrays = (of_x, of_w, self.b, layout(self.y_shape))
        args = (dnnl.FORWARD_TRAINING, dnnl.CONVOLUTION_DIRECT, *arrays, *self.window)
        relu, add, affine, prelu = self.after
        beside, plus = self.of_channels if affine else None, [layout(self.y_shape)] * add
        return Operation(
            "convolution_forward", *args, attributes=Attributes(affine=beside, plus=plus, relu=relu, prelu=prelu)
        )

    def backward_data(self, layout: Layout) -> Operation:
        of_w, of_y = free(self.grouped, self.operands), layout(self.y_shape, self.operands)
        arrays = (layout(self.x_shape), of_w, of_y, *self.window)
        return Operation("convolution_backward_data", dnnl.CONVOLUTION_DIRECT, *arrays, self.by_rule)

    def backward_weights(self, layout: Layout) -> Operation:
        of_x, of_y = layout(self.x_shape, self.operands), layout(self.y_shape, self.operands)
        arrays = (of_x, free(self.grouped), self.b, of_y, *self.window)
        return Operation("convolution_backward_weights", dnnl.CONVOLUTION_DIRECT, *arrays, self.by_rule)

    def multiply_adds(self) -> int:
        return count_of(self.y_shape) * count_of(self.w_shape[1:])

    def key(self, operation: str) -> str:
        num_output, kernel, stride, pad, dilation, group, bias, _ = self.settings
        parts = [f"convolution {operation.replace('_', ' ')} {size_text(self.x_shape)}", f"filters {num_output}"]
        windows = (("kernel", kernel), ("stride", stride), ("pad", pad), ("dilation", dilation))
        parts += [f"{name} {size_text(sizes)}" for name, sizes in windows]
        parts += [f"group {group}", *["bias"] * bias, *["bf16"] * self.bf16]
        if operation == "forward":
            relu, *others = self.after
            names = ("add", "affine", "prelu", "held")
            parts += [name for name, does in zip(names, (*others, self.held), strict=True) if does]
            parts += [] if relu is None else [f"relu {relu:g}"]
        return ", ".join(parts)
