"""BlobShape of the schema as a tuple."""

from __future__ import annotations

from typing import Any

from netcli.arrays.layout import Shape
from netcli.errors import ShapeError


def blob_shape(message: Any, field: str) -> Shape:
    """The sizes of a BlobShape; raises ShapeError for one below 0."""
    shape = tuple(int(size) for size in message.dim)
    if any(size < 0 for size in shape):
        raise ShapeError(f"shape {shape} has a size below 0", field=field)
    return shape
