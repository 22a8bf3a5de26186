"""Pooling.

Scherer, Müller & Behnke, "Evaluation of Pooling Operations in Convolutional Architectures for Object
Recognition", ICANN 2010; stochastic: Zeiler & Fergus, "Stochastic Pooling for Regularization of Deep
Convolutional Neural Networks", ICLR 2013, arXiv:1301.3557.  Same results as Caffe's pooling_layer.cpp and,
for what that lacks, pooling_layer.cu.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from netcli.arrays.layout import Shape, size_text
from netcli.blob import Blob
from netcli.errors import NetcliError, ShapeError
from netcli.layers.base import Layer, layer
from netcli.prototxt import schema

log = logging.getLogger("netcli")

Pair = tuple[int, int]  # height, width


@layer("Pooling", param="pooling_param")
class Pooling(Layer):
    """The maximum, the average or a cell drawn at random of each window.

    STOCHASTIC: in TRAIN one cell, drawn with a probability in proportion to its value; in TEST the mean of the cells
    weighted by their values, sum(x**2) / sum(x).  The draws depend on the net's seed, the layer's name and the number
    of forward passes alone.  Values are not to be negative.  (Caffe computes it on the GPU alone, and has no gradient
    in TEST; here that is the mean's.)

    bottom  x     (N, C, H, W)
    top     y     (N, C, *out), out = ceil((in + 2 pad - kernel) / stride) + 1, with pad less a last window that
                  would start behind the image and its near padding
            mask  optional, with MAX: h * W + w of each maximum, as floats; -1 where a window has none
    param   pool            MAX (default), AVE or STOCHASTIC; AVE divides by the window clipped to the image with its
                            padding, and is 0 where none of it is left
            kernel_size     or kernel_h and kernel_w; or global_pooling, the whole image
            stride (1), pad (0)   or stride_h stride_w, pad_h pad_w; pad is less than the kernel, and 0 with STOCHASTIC
            round_mode      CEIL (default) or FLOOR; ceil_mode: false and torch_pooling: true are forks' names for FLOOR
            engine          changes nothing; nor do blobs_lr and blobs_a_min, settings of a pool that is refused
    """

    tops = (1, 2)
    fork_fields = ("ceil_mode", "torch_pooling", "blobs_lr", "blobs_a_min")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.p
        methods = {p.MAX: "max", p.AVE: "ave", p.STOCHASTIC: "stochastic"}
        if p.pool not in methods:
            name = schema.PoolingParameter.PoolMethod.Name(p.pool)
            raise NetcliError(
                f"pool {name} is not in netcli yet; MAX, AVE and STOCHASTIC are", field="pooling_param.pool"
            )
        self.method = methods[p.pool]
        if len(top) > 1 and self.method != "max":
            raise ShapeError("a second top, the mask, goes with pool: MAX only", field="top")
        self.stride = self._pair("stride")
        self.pad = self._pair("pad")
        if min(self.stride) < 1:
            raise ShapeError(f"stride is {size_text(self.stride)}; the least is 1", field="pooling_param.stride")
        self._window = None if p.global_pooling else self._pair("kernel_size")
        if self._window is None:
            for name in ("kernel_size", "kernel_h", "kernel_w"):
                if p.HasField(name):
                    raise ShapeError(f"global_pooling takes no {name}", field=f"pooling_param.{name}")
            if self.stride != (1, 1) or self.pad != (0, 0):
                raise ShapeError(
                    f"global_pooling takes stride 1 and pad 0, got {size_text(self.stride)} and {size_text(self.pad)}",
                    field="pooling_param.global_pooling",
                )
        elif any(pad >= kernel for pad, kernel in zip(self.pad, self._window, strict=True)):
            raise ShapeError(
                f"pad {size_text(self.pad)} is not less than the kernel {size_text(self._window)}",
                field="pooling_param.pad",
            )
        if self.method == "stochastic" and any(self.pad):
            given = next(name for name in ("pad", "pad_h", "pad_w") if getattr(p, name))
            raise ShapeError(
                f"pool: STOCHASTIC takes no padding, got {size_text(self.pad)}", field=f"pooling_param.{given}"
            )
        self._warn_of_empty_windows(bottom[0].shape)

    def _warn_of_empty_windows(self, shape: Shape) -> None:
        out = self.top_shape(shape)[2:]
        if any((n - 1) * s - p >= size for n, s, p, size in zip(out, self.stride, self.pad, shape[2:], strict=True)):
            log.warning(
                "layer '%s' (Pooling): the last windows of %s lie outside bottom %s and hold %s; "
                "round_mode: FLOOR leaves them out",
                self.name,
                size_text(out),
                self.named(0, shape),
                "the lowest number, as in Caffe" if self.method == "max" else "0, where Caffe may divide 0 by 0",
            )

    def _pair(self, name: str) -> Pair:
        """A setting that is given once, or as _h and _w."""
        p, stem = self.p, name.removesuffix("_size")
        sides = (f"{stem}_h", f"{stem}_w")
        given = [side for side in sides if p.HasField(side)]
        if given and p.HasField(name):
            raise ShapeError(
                f"{name} and {given[0]} are both given, and say the same thing; leave one out",
                field=f"pooling_param.{name}",
            )
        if len(given) == 1:
            missing = sides[1 - sides.index(given[0])]
            raise ShapeError(f"{given[0]} is given without {missing}", field=f"pooling_param.{given[0]}")
        pair = (getattr(p, sides[0]), getattr(p, sides[1])) if given else (getattr(p, name),) * 2
        if name == "kernel_size" and min(pair) < 1:
            field = given[0] if given else name if p.HasField(name) else None
            raise ShapeError(
                f"{name} is missing" if field is None else f"the kernel is {size_text(pair)}; the least is 1",
                field="pooling_param" if field is None else f"pooling_param.{field}",
            )
        return pair

    def kernel(self, shape: Shape) -> Pair:
        """The window's size for a bottom of this shape."""
        return self._window or (shape[2], shape[3])

    def top_shape(self, shape: Shape) -> Shape:
        """The shape of the tops for a bottom of this shape."""
        if len(shape) != 4:
            raise ShapeError(f"takes a bottom of 4 axes (N, C, H, W), got {self.named(0, shape)}", field="bottom")
        kernel, p = self.kernel(shape), self.p
        floor = p.round_mode == p.FLOOR or not p.ceil_mode or p.torch_pooling
        out = []
        for size, k, stride, pad in zip(shape[2:], kernel, self.stride, self.pad, strict=True):
            room = size + 2 * pad - k
            count = (room // stride if floor else -(-room // stride)) + 1
            # With padding on either axis Caffe leaves out a last window that starts in the far padding.
            if any(self.pad) and (count - 1) * stride >= size + pad:
                count -= 1
            out.append(count)
        if min(out) < 1:
            padded = tuple(size + 2 * pad for size, pad in zip(shape[2:], self.pad, strict=True))
            raise ShapeError(
                f"kernel {size_text(kernel)} does not fit padded input {size_text(padded)} "
                f"of bottom {self.named(0, shape)}",
                field="pooling_param.kernel_h" if self.p.HasField("kernel_h") else "pooling_param.kernel_size",
            )
        return (*shape[:2], *out)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape, top_shape = bottom[0].shape, self.top_shape(bottom[0].shape)
        for blob in top:
            blob.reshape(top_shape)
        kernel = self.kernel(shape)
        if self.method == "stochastic":
            self.plan = self.ops.stochastic_pool(shape, top_shape, kernel, self.stride, self.dtype)
        else:
            window = (kernel, self.stride, self.pad)
            self.plan = self.ops.pool(
                shape, top_shape, self.method, *window, len(top) > 1, self.dtype, self.context.gradients
            )

    def backward_reads(self) -> tuple[bool, bool]:
        by_values = self.method == "stochastic" and not self.train
        return by_values, by_values

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y = bottom[0].data, top[0].data
        if self.method != "stochastic":
            self.plan.forward(x, y)
        elif self.train:
            self.plan.forward(x, y, self.context.seed, f"pool {self.name}", self.context.passes)
        else:
            self.plan.mean(x, y)
        if len(top) > 1:
            top[1].data[...] = self.plan.mask

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        if self.method == "stochastic" and not self.train:
            self.plan.mean_backward(bottom[0].data, top[0].data, top[0].diff, bottom[0].diff)
        else:
            self.plan.backward(top[0].diff, bottom[0].diff)
