"""Two blobs written to an HDF5 file.

Same file as Caffe's hdf5_output_layer.cpp, which fails at the second forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from netcli.arrays import hdf5
from netcli.arrays.layout import Shape, size_text
from netcli.blob import Blob
from netcli.errors import DataError, NetcliError, ShapeError
from netcli.layers.base import Context, Layer, layer
from netcli.snapshots.atomic import atomic_stream, check_writable

NAMES = ("data", "label")


@layer("HDF5Output", param="hdf5_output_param")
class HDF5Output(Layer):
    """Appends the rows of its bottoms to the datasets data and label of a file.

    bottom  data    (N, ...), up to 4 axes; written as (N, C, H, W), where axes that are missing are 1
            label   (N, ...), the same
    param   file_name   the file; it is at its place, whole, when the net is closed, and what was there before goes

    The rows of all forward passes follow each other, in float32 (or the net's own type). No forward, no file.
    """

    bottoms = 2
    tops = 0
    replays = False
    no_gradient = None

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__(param, context)
        self._open = ExitStack()
        self._datasets: list[Any] = []

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.p.file_name:
            raise NetcliError("hdf5_output_param needs file_name", field="hdf5_output_param")
        hdf5.require()
        try:
            check_writable(self.p.file_name)
        except NetcliError as fault:
            raise DataError(f"{fault.place} {fault.message}", field="hdf5_output_param.file_name") from None

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        for index, shape in enumerate(bottom_shapes):
            if not 1 <= len(shape) <= 4:
                raise ShapeError(f"takes bottoms of 1 to 4 axes, got {self.named(index, shape)}", field="bottom")
        data, label = bottom_shapes
        if data[0] != label[0]:
            raise ShapeError(
                f"takes bottoms of as many items, got {self.named(0, data)} and {self.named(1, label)}", field="bottom"
            )
        return []

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        arrays = [blob.host_data().reshape(*blob.shape, *(1,) * (4 - len(blob.shape))) for blob in bottom]
        if not self._datasets:
            file = self._open.enter_context(hdf5.writing(self._open.enter_context(atomic_stream(self.p.file_name))))
            self._datasets = [
                file.create_dataset(name, (0, *array.shape[1:]), array.dtype, maxshape=(None, *array.shape[1:]))
                for name, array in zip(NAMES, arrays, strict=True)
            ]
        for name, array, dataset in zip(NAMES, arrays, self._datasets, strict=True):
            if array.shape[1:] != dataset.shape[1:]:
                raise DataError(
                    f"{self.p.file_name} holds {name} of {size_text(dataset.shape[1:])}; now it is "
                    f"{size_text(array.shape[1:])}"
                )
            dataset.resize(len(dataset) + len(array), axis=0)
            dataset[-len(array) :] = array

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """What is written has no gradient."""

    def close(self) -> None:
        self._datasets = []
        self._open.close()
