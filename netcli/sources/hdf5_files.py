"""Rows of HDF5 files that a text file lists, one path a line."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays import hdf5, random
from netcli.arrays.layout import Shape, size_text
from netcli.errors import DataError
from netcli.sources.image_list import read_lines


class Hdf5Files:
    """The datasets of some names in all files of a list, as rows along their first axis.

    Row i of an epoch is that of the files one after another; shuffled, the files have a new order in each epoch,
    and the rows of each file too.  One file at a time is in memory, whole.
    Raises DataError where a file or a dataset is missing, its rows are not as many as those of the file's other
    datasets, or they have another shape than those of the first file.

    names    of the datasets
    dtype    what they are read as, from whatever numbers
    seed     of the draws; None: not shuffled
    """

    def __init__(self, source: str, names: Sequence[str], dtype: Any, seed: int | None, purpose: str) -> None:
        self._names = list(names)
        self._dtype = dtype
        self._seed, self._purpose = seed, purpose
        self._files: list[str] = []
        self._places: list[str] = []
        self.row_shapes: list[Shape] = []  # of each dataset
        counts: list[int] = []
        for line, path in read_lines(source, "HDF5 files"):
            beside = os.path.join(os.path.dirname(source), path)
            self._files.append(beside if not os.path.exists(path) and os.path.exists(beside) else path)
            self._places.append(f"{source}:{line}: {self._files[-1]}")
            counts.append(self._look_into(len(counts)))
        self._counts = np.array(counts, np.int64)
        if not self._counts.any():
            raise DataError(f"{source}: the files hold no rows")
        self._loaded: tuple[int, list[Any]] = (-1, [])  # a file and its arrays
        self._files_of: tuple[int, Any] = (-1, None)  # an epoch and the order of its files
        self._rows_of: tuple[int, int, Any] = (-1, -1, None)  # epoch, file and the order of its rows

    def __len__(self) -> int:
        """Rows in an epoch."""
        return int(self._counts.sum())

    def read(self, position: int, out: Sequence[Any]) -> None:
        """Fill each array of `out`, (n, ...), with the rows position .. position + n - 1 of the run."""
        size, done = len(out[0]), 0
        while done < size:
            epoch, row = divmod(position + done, len(self))
            order = self._file_order(epoch)
            ends = np.cumsum(self._counts[order])
            at = int(np.searchsorted(ends, row, side="right"))
            file = int(order[at])
            first = row - int(ends[at] - self._counts[file])
            run = min(size - done, int(self._counts[file]) - first)
            rows = self._row_order(epoch, file)
            chosen = slice(first, first + run) if rows is None else rows[first : first + run]
            for array, target in zip(self._arrays(file), out, strict=True):
                target[done : done + run] = array[chosen]
            done += run

    def _file_order(self, epoch: int) -> Any:
        if self._seed is None:
            return np.arange(len(self._files))
        if self._files_of[0] != epoch:
            order = random.permutation(self._seed, f"{self._purpose} files", epoch, len(self._files))
            self._files_of = (epoch, order)
        return self._files_of[1]

    def _row_order(self, epoch: int, file: int) -> Any:
        """The order of a file's rows in an epoch; None: as they stand."""
        if self._seed is None:
            return None
        if self._rows_of[:2] != (epoch, file):
            order = random.permutation(self._seed, f"{self._purpose} rows {file}", epoch, int(self._counts[file]))
            self._rows_of = (epoch, file, order)
        return self._rows_of[2]

    def _look_into(self, file: int) -> int:
        """The rows of a file, whose datasets are compared with each other and with the first file's."""
        try:
            with hdf5.reading(self._files[file]) as content:
                shapes = [hdf5.dataset(content, name).shape for name in self._names]
        except hdf5.Hdf5Error as fault:
            raise DataError(f"{self._places[file]} {fault}") from None
        for name, shape in zip(self._names, shapes, strict=True):
            if not shape:
                raise DataError(f"{self._places[file]} has a dataset '{name}' of one number, which has no rows")
            if shape[0] != shapes[0][0]:
                raise DataError(
                    f"{self._places[file]} has {shapes[0][0]} rows in dataset '{self._names[0]}' and {shape[0]} in "
                    f"'{name}'; they must be as many"
                )
        row_shapes = [shape[1:] for shape in shapes]
        self.row_shapes = self.row_shapes or row_shapes
        for name, shape, first in zip(self._names, row_shapes, self.row_shapes, strict=True):
            if shape != first:
                raise DataError(
                    f"{self._places[file]} has rows of {_size(shape)} in dataset '{name}', those of {self._files[0]} "
                    f"are {_size(first)}"
                )
        return int(shapes[0][0])

    def _arrays(self, file: int) -> list[Any]:
        if self._loaded[0] != file:
            self._loaded = (-1, [])  # given back before the next is taken
            try:
                with hdf5.reading(self._files[file]) as content:
                    arrays = [hdf5.numbers(hdf5.dataset(content, name), self._dtype) for name in self._names]
            except hdf5.Hdf5Error as fault:
                raise DataError(f"{self._places[file]} {fault}") from None
            wanted = [(int(self._counts[file]), *shape) for shape in self.row_shapes]
            if [array.shape for array in arrays] != wanted:
                raise DataError(f"{self._places[file]} has changed since the net was built")
            self._loaded = (file, arrays)
        return self._loaded[1]


def _size(shape: Shape) -> str:
    return size_text(shape) or "one number"
