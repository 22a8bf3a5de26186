"""The window that Convolution, Deconvolution and Im2col move over the spatial axes, as ConvolutionParameter says."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

from netcli.arrays.layout import Shape, size_text
from netcli.errors import ShapeError

log = logging.getLogger("netcli")

# Fields of forks that say how cuDNN or MKL is to go about it, and the slope of a ReLU that is refused itself.
NO_EFFECT = (
    *("cudnn_convolution_algo_seeker", "conv_algos_override", "cudnn_flavor"),
    *("conv_algorithm", "negative_slope"),
)
FORK_FIELDS = ("dilation_h", "dilation_w", *NO_EFFECT)


@dataclass(frozen=True)
class Window:
    """Sizes along each spatial axis, in items.

    kernel        items of the window; dilation: how far they stand apart, 1: side by side
    stride        from one window to the next
    pad           zeros added at both ends
    kernel_field  where the kernel's size stands, for errors
    """

    kernel: Shape
    stride: Shape
    pad: Shape
    dilation: Shape
    kernel_field: str = "convolution_param.kernel_size"

    @classmethod
    def of(cls, p: Any, axes: int) -> Window:
        """From ConvolutionParameter, for so many spatial axes."""
        return cls(
            kernel=per_axis(p, "kernel_size", axes, least=1),
            stride=per_axis(p, "stride", axes, least=1, default=1),
            pad=per_axis(p, "pad", axes, least=0, default=0),
            dilation=per_axis(p, "dilation", axes, least=1, default=1),
            kernel_field=f"convolution_param.{'kernel_h' if p.HasField('kernel_h') else 'kernel_size'}",
        )

    @property
    def extent(self) -> Shape:
        """From the first item of the window to the last."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def places(self, sizes: Shape, bottom: str) -> Shape:
        """How many windows fit an input of these sizes; raises ShapeError, which names the bottom, where none does.

        A window that is too large by less than the stride fits once, as in Caffe, whose division rounds towards 0;
        behind the input it shows zeros.
        """
        padded = tuple(size + 2 * pad for size, pad in zip(sizes, self.pad, strict=True))
        extent = self.extent
        lacking = [e - s for e, s in zip(extent, padded, strict=True)]
        if max(lacking, default=0) > 0:
            dilated = f", dilated to {size_text(extent)}," if extent != self.kernel else ""
            words = f"kernel {size_text(self.kernel)}{dilated} does not fit padded input {size_text(padded)}"
            words += f" of bottom {bottom}"
            if any(lack >= t for lack, t in zip(lacking, self.stride, strict=True)):
                raise ShapeError(words, field=self.kernel_field)
            log.warning("%s; as in Caffe, zeros behind the input make up for what is less than the stride", words)
        return tuple(max(0, s - e) // t + 1 for s, e, t in zip(padded, extent, self.stride, strict=True))

    def covered(self, places: Shape, bottom: str) -> Shape:
        """The smallest input that has so many windows; raises ShapeError where the padding is all of it."""
        padded = tuple(t * (n - 1) + e for n, e, t in zip(places, self.extent, self.stride, strict=True))
        if any(size <= 2 * pad for size, pad in zip(padded, self.pad, strict=True)):
            raise ShapeError(
                f"pad {size_text(self.pad)} takes all of the {size_text(padded)} that kernel {size_text(self.kernel)} "
                f"makes of bottom {bottom}",
                field="convolution_param.pad",
            )
        return tuple(size - 2 * pad for size, pad in zip(padded, self.pad, strict=True))


def per_axis(p: Any, name: str, axes: int, *, least: int, default: int | None = None) -> Shape:
    """A setting of ConvolutionParameter for each spatial axis.

    It is given once, or once for each axis, or as _h and _w; default None: it has to be given.
    """
    field = f"convolution_param.{name}"
    values = list(getattr(p, name))
    stem = name.removesuffix("_size")
    pair = (f"{stem}_h", f"{stem}_w")
    given = [each for each in pair if p.HasField(each)]
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
