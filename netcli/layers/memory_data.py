"""Batches from arrays that a program gives.

Same batches as Caffe's memory_data_layer.cpp.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import DataError, ShapeError
from netcli.layers.base import Context, Layer, layer
from netcli.sources.memory import Arrays

log = logging.getLogger("netcli")


@layer("MemoryData", param="memory_data_param")
class MemoryData(Layer):
    """The images and labels of `set_arrays`, a batch at a time, over and over.

    top     data    (batch_size, channels, height, width)
            label   (batch_size,)
    param   batch_size, channels, height, width   each at least 1
            source, share_in_parallel   have no effect
    """

    fork_fields = ("source", "share_in_parallel")

    bottoms = 0
    tops = 2
    is_source = True
    replays = False
    no_gradient = None

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__(param, context)
        self._arrays: Arrays | None = None
        self._position = 0

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for field in ("batch_size", "channels", "height", "width"):
            if getattr(self.p, field) < 1:
                raise ShapeError(f"{field} must be at least 1", field=f"memory_data_param.{field}")

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return [(self.p.batch_size, self.p.channels, self.p.height, self.p.width), (self.p.batch_size,)]

    def set_arrays(self, data: Any, labels: Any) -> None:
        """Go on from the first of these: data (n, C, H, W), labels (n,), n a multiple of batch_size.

        They are not copied, so they are read as they are at each forward; transform_param is not applied.
        """
        if self.param.HasField("transform_param"):
            log.warning("layer '%s': transform_param is not applied to arrays, as in Caffe", self.name)
        shape = (self.p.channels, self.p.height, self.p.width)
        self._arrays = Arrays(np.asarray(data), np.asarray(labels), shape, self.p.batch_size)
        self._position = 0

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self._arrays is None:
            raise DataError("has no data: give it some with set_arrays before the first forward")
        data, labels = self._arrays.batch(self._position, self.p.batch_size)
        top[0].set_data(data)
        top[1].set_data(labels)
        self._position += self.p.batch_size

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Data have no gradient."""

    def position(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        self._position = position
