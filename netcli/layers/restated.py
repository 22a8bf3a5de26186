"""What Flatten and Reshape share: the top holds the bottom's items, in Caffe's order, in another shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import same_order
from netcli.blob import Blob
from netcli.layers.base import Layer


def copy_items(source: Any, target: Any) -> None:
    """Copy the items in Caffe's order (last axis fastest) between arrays of different shapes and any strides."""
    if target.flags.c_contiguous:
        target.reshape(source.shape)[...] = source
    else:
        target[...] = source.reshape(target.shape)


class Restated(Layer):
    """The bottom's items under another shape; for inheriting, with `top_shapes`.

    The top looks at the bottom's own memory, data and diff, where that reads the same in both shapes, as in Caffe:
    then what an in-place layer writes to the top is in the bottom too.  Where one of the two is channels-last
    (Note [Channels last] in arrays/layout.py) the items are copied.
    """

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.shared = same_order(bottom[0].shape, top[0].shape)
        if self.shared:
            owner = bottom[0]
        elif top[0].data_buffer is bottom[0].data_buffer:  # shared for the shape before this one
            owner = Blob(top[0].shape, self.dtype, device=self.context.device)
        else:
            return
        top[0].share_data(owner)
        top[0].share_diff(owner)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.shared:
            copy_items(bottom[0].data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0] and not self.shared:
            copy_items(top[0].diff, bottom[0].diff)
