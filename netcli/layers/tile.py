"""Copies side by side.  Same results as Caffe's tile_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer


@layer("Tile", param="tile_param")
class Tile(Layer):
    """y is x, `tiles` times one after the other along `axis`.

    bottom  x      any shape
    top     y      shape of x, `tiles` times as long along `axis`
    param   tiles  needed
            axis   default 1
    """

    only_diffs = True

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        shape = bottom_shapes[0]
        axis = self.axis(self.p.axis, len(shape), "tile_param.axis")
        if self.p.tiles < 1:
            raise ShapeError(
                f"tiles is {self.p.tiles}; it must be 1 or more" if self.p.HasField("tiles") else "needs tiles",
                field="tile_param.tiles",
            )
        return [(*shape[:axis], shape[axis] * self.p.tiles, *shape[axis + 1 :])]

    def _tiles(self, y: Any) -> Any:
        return self.xp.split(y, self.p.tiles, axis=self.p.axis)  # views

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for tile in self._tiles(top[0].data):
            tile[...] = bottom[0].data

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            dx = bottom[0].diff
            first, *others = self._tiles(top[0].diff)
            dx[...] = first
            for tile in others:
                dx += tile
