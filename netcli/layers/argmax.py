"""The places of the highest values.  Same results as Caffe's argmax_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape, count_of
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer


@layer("ArgMax", param="argmax_param")
class ArgMax(Layer):
    """Indices of the `top_k` highest values, or those values, highest first; no gradient.

    bottom  x            any shape
    top     y            with `axis`: shape of x with top_k there, indices, or values with out_max_val;
                         without: (N, 1, top_k), or (N, 2, top_k), indices before values, with out_max_val, where an
                         index counts the items of an image in Caffe's order; with more 1s behind where x has more axes
    param   axis         default: all axes but the first together
            top_k        default 1
            out_max_val  default false

    Of equal values the last comes first.
    """

    no_gradient = None

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        shape, k, has_axis = bottom_shapes[0], self.p.top_k, self.p.HasField("axis")
        if not shape:
            raise ShapeError("takes a bottom of 1 axis or more", field="bottom")
        axis = self.axis(self.p.axis, len(shape), "argmax_param.axis") if has_axis else 1
        size = shape[axis] if has_axis else count_of(shape[1:])
        if not 1 <= k <= size:
            raise ShapeError(
                f"top_k is {k}; bottom {self.named(0, shape)} has 1..{size} to choose", field="argmax_param.top_k"
            )
        if has_axis:
            return [(*shape[:axis], k, *shape[axis + 1 :])]
        return [(shape[0], 2 if self.p.out_max_val else 1, k, *(1,) * (len(shape) - 3))]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xp, x, y, has_axis = self.xp, bottom[0].data, top[0].data, self.p.HasField("axis")
        # The axis to search, last and from its end, so that of equal values the last is found first.
        x = (xp.moveaxis(x, self.p.axis, -1) if has_axis else x.reshape(len(x), count_of(x.shape[1:])))[..., ::-1]
        index = self._highest(x)
        values = xp.take_along_axis(x, index, -1) if self.p.out_max_val else None
        index = x.shape[-1] - 1 - index
        if has_axis:
            y[...] = xp.moveaxis(index if values is None else values, -1, self.p.axis)
            return
        rows = y.reshape(y.shape[:3])
        rows[:, 0] = index
        if values is not None:
            rows[:, 1] = values

    def _highest(self, x: Any) -> Any:
        """Indices along the last axis of its top_k highest, the first of equal ones first."""
        if self.p.top_k == 1:
            return self.xp.argmax(x, axis=-1)[..., None]
        return self.xp.argsort(-x, axis=-1, kind="stable")[..., : self.p.top_k]
