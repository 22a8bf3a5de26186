"""Records that a program holds in arrays."""

from __future__ import annotations

from typing import Any

from netcli.arrays.layout import Shape, size_text
from netcli.errors import DataError


class Arrays:
    """Images and labels, given in batches from the first to the last and over again.

    data      (n, C, H, W), taken as they are and not copied
    labels    (n,), or Caffe's (n, 1, 1, 1)
    shape     (C, H, W) that the images must have
    Raises DataError where they do not fit each other, the shape, or n is no multiple of the batch size.
    """

    def __init__(self, data: Any, labels: Any, shape: Shape, batch_size: int) -> None:
        if data.ndim != 4 or data.shape[1:] != shape:
            raise DataError(
                f"arrays of {size_text(data.shape)} are given where images of {size_text(shape)} are wanted"
            )
        count = len(data)
        if labels.size != count:
            raise DataError(f"{labels.size} labels are given for {count} images")
        if count == 0 or count % batch_size:
            raise DataError(f"{count} images are not a multiple of the batch size, {batch_size}")
        self.data = data
        self.labels = labels.reshape(count)

    def __len__(self) -> int:
        return len(self.data)

    def batch(self, position: int, size: int) -> tuple[Any, Any]:
        """Images and labels of the batch that begins at record `position` of the run."""
        start = position % len(self)
        return self.data[start : start + size], self.labels[start : start + size]
