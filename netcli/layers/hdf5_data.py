"""Rows of datasets in HDF5 files.

Same batches as Caffe's hdf5_data_layer.cpp, with other random draws.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of, view
from netcli.blob import Blob
from netcli.errors import NetcliError, ShapeError
from netcli.layers.base import Context, Layer, layer
from netcli.sources.hdf5_files import Hdf5Files
from netcli.sources.prefetch import Prefetch

AHEAD = 2  # batches; a file that is due is read while they last


@layer("HDF5Data", param="hdf5_data_param")
class HDF5Data(Layer):
    """The rows of HDF5 files, over and over; a top takes the dataset of its own name.

    top     (batch_size, ...), the axes of the dataset after its first
    param   source       a text file with the path of an HDF5 file on each line, from the current folder or beside it
            batch_size   at least 1
            shuffle      a new order of the files in each epoch, and of the rows in each file, drawn from seed and epoch
    Any floats and whole numbers are taken; transform_param is refused, as in Caffe.

    Every file is looked into at the beginning, and in memory as a whole while its rows are due.
    """

    bottoms = 0
    tops = (1, None)
    is_source = True
    replays = False
    no_gradient = None

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__(param, context)
        self._feed: Prefetch[list[Any]] | None = None

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.param.HasField("transform_param"):
            raise ShapeError("transform_param: HDF5Data does not transform its data", field="transform_param")
        if self.p.batch_size < 1:
            raise ShapeError("batch_size must be at least 1", field="hdf5_data_param.batch_size")
        if not self.p.source:
            raise NetcliError("hdf5_data_param needs source, a list of HDF5 files", field="hdf5_data_param")
        seed = self.context.seed if self.p.shuffle else None
        try:
            self.source = Hdf5Files(self.find(self.p.source), self.param.top, self.dtype, seed, f"shuffle {self.name}")
        except NetcliError as fault:
            fault.field = fault.field or "hdf5_data_param.source"
            raise
        self._free: deque[list[Any]] = deque()
        self._feed = Prefetch(self._load, self.p.batch_size, AHEAD)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return [(self.p.batch_size, *shape) for shape in self.source.row_shapes]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        assert self._feed is not None
        batch = self._feed.next()
        for blob, array in zip(top, batch, strict=True):
            blob.set_data(array)
        self._free.append(batch)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Data have no gradient."""

    def position(self) -> int:
        return 0 if self._feed is None else self._feed.position

    def seek(self, position: int) -> None:
        assert self._feed is not None
        self._feed.seek(position)

    def watch_reading(self, told: Callable[[float, float], None] | None) -> None:
        if self._feed is not None:
            self._feed.told = told

    def close(self) -> None:
        if self._feed is not None:
            self._feed.close()

    def _load(self, position: int) -> list[Any]:
        """The batch that begins at a row of the run; in the prefetching thread."""
        batch = self._free.popleft() if self._free else [self._empty(shape) for shape in self.top_shapes([])]
        self.source.read(position, batch)
        return batch

    def _empty(self, shape: Shape) -> Any:
        return view(np.empty(count_of(shape), self.dtype), shape, True)
