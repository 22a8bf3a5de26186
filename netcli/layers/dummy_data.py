"""Blobs filled by fillers, to try a net without data.  As Caffe's dummy_data_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli import fillers
from netcli.arrays import random
from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer
from netcli.layers.blob_shape import blob_shape
from netcli.layers.each_top import for_each_top

LEGACY = ("num", "channels", "height", "width")


@layer("DummyData", param="dummy_data_param")
class DummyData(Layer):
    """Tops of given shapes and random or constant content.

    top    one or more
    param  shape                      one for all tops, or one for each
           num channels height width  the same as a 4-D shape, in Caffe's old form; each once, or once for each top
           data_filler                one for all tops, one for each, or none: zeros

    A constant top is filled once, and keeps what a program puts there later; every other is filled at each
    forward, by draws that depend on seed, layer, top and pass alone.
    """

    replays = False
    bottoms = 0
    tops = (1, None)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        given = for_each_top(self.p.data_filler, len(top), "dummy_data_param.data_filler", needed=False)
        self.fillers: list[Any] = given or [None] * len(top)
        for blob, shape, filler in zip(top, self._shapes(len(top)), self.fillers, strict=True):
            fillers.check(filler, shape, "dummy_data_param.data_filler")
            blob.reshape(shape)  # here and not in reshape, which would undo what a program has made of it
        self._tops = list(top)

    def _shapes(self, tops: int) -> list[Shape]:
        given = [name for name in LEGACY if getattr(self.p, name)]
        if not given:
            shapes = [blob_shape(message, "dummy_data_param.shape") for message in self.p.shape]
            return for_each_top(shapes, tops, "dummy_data_param.shape", needed=True)
        if self.p.shape:
            raise ShapeError(f"takes shape or {' '.join(LEGACY)}, not both", field=f"dummy_data_param.{given[0]}")
        sizes = [for_each_top(getattr(self.p, name), tops, f"dummy_data_param.{name}", needed=True) for name in LEGACY]
        return list(zip(*sizes, strict=True))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        pass

    def fill(self) -> None:
        super().fill()
        for blob, filler in zip(self._tops, self.fillers, strict=True):
            if _is_constant(filler):
                blob.data.fill(0 if filler is None else filler.value)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for i, (blob, filler) in enumerate(zip(top, self.fillers, strict=True)):
            if not _is_constant(filler):
                draws = random.stream(self.context.seed, f"data {self.name}", i, int(self.context.passes))
                fillers.fill_blob(filler, blob, draws)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        pass


def _is_constant(filler: Any) -> bool:
    return filler is None or filler.type == "constant"
