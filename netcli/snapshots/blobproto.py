"""BlobProto: an array in a file, as caffemodels, solver states and mean images hold it.

message BlobProto { shape = 7 { repeated int64 dim = 1 }  data = 5  diff = 6  double_data = 8  double_diff = 9
num = 1  channels = 2  height = 3  width = 4 (before 2015)  raw_data_type = 10  raw_data = 12 (NVCaffe) }
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, count_of
from netcli.errors import Place, SnapshotError
from netcli.snapshots import wire
from netcli.snapshots.atomic import atomic_write

DATA, DIFF, SHAPE, DOUBLE_DATA, DOUBLE_DIFF, RAW_TYPE, RAW_DATA = 5, 6, 7, 8, 9, 10, 12
_NUMBERS: dict[int, np.dtype[Any]] = {DATA: np.dtype("<f4"), DOUBLE_DATA: np.dtype("<f8")}
LEGACY = (1, 2, 3, 4)  # num, channels, height, width
RAW_TYPES: list[np.dtype[Any]] = [
    np.dtype(code) for code in ("<f8", "<f4", "<f2", "<i4", "<u4")
]  # DOUBLE FLOAT FLOAT16 INT UINT


def array_of(message: bytes | memoryview) -> Any:
    """The data of a serialised BlobProto: float64 if it is stored so, float32 otherwise; raises wire.WireError.

    The array looks at the message's own bytes where it can, and is then read-only.
    """
    legacy: dict[int, int] = {}
    shape: list[int] | None = None
    parts: dict[int, list[Any]] = {DATA: [], DOUBLE_DATA: []}
    raw_type, raw = 0, None
    for number, kind, content in wire.fields(memoryview(message)):
        if number in parts and kind != wire.VARINT:  # packed, or one by one, each behind its tag
            parts[number].append(_items(content, _NUMBERS[number]))
        elif number == SHAPE and kind == wire.BYTES:
            shape = (shape or []) + _dims(content)
        elif number in LEGACY and kind == wire.VARINT:
            legacy[number] = wire.varint(content)
        elif number == RAW_TYPE and kind == wire.VARINT:
            raw_type = wire.varint(content)
        elif number == RAW_DATA and kind == wire.BYTES:
            raw = content
    if raw is not None and not any(parts.values()):
        array = _raw_items(raw, raw_type)
    else:
        array = _joined(parts[DOUBLE_DATA] or parts[DATA] or [np.zeros(0, np.float32)])
    if legacy:
        return _shaped(array, tuple(legacy.get(number, 0) for number in LEGACY))
    if shape is None and array.size != 1:
        return array
    return _shaped(array, tuple(shape or ()))


def _shaped(array: Any, shape: Shape) -> Any:
    if count_of(shape) != array.size:
        raise wire.WireError(f"a blob of shape {shape} holds {array.size} numbers")
    return array.reshape(shape)


def _raw_items(content: memoryview, type_number: int) -> Any:
    if type_number >= len(RAW_TYPES):
        raise wire.WireError(f"a blob holds raw data of the unknown type {type_number}")
    items = _items(content, RAW_TYPES[type_number])
    return items if items.dtype == np.float64 else items.astype(np.float32)


def _dims(content: memoryview) -> list[int]:
    dims: list[int] = []
    for number, kind, value in wire.fields(content):
        if number == 1 and kind in (wire.BYTES, wire.VARINT):
            dims.extend(wire.varints(value))
    if any(dim >= 2**63 for dim in dims):
        raise wire.WireError("a blob has a negative dimension")
    return dims


def _items(content: memoryview, dtype: np.dtype[Any]) -> Any:
    if len(content) % dtype.itemsize:
        raise wire.WireError(f"{len(content)} bytes are no whole number of {dtype.itemsize}-byte items")
    return np.frombuffer(content, dtype)


def _joined(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class Encoded:
    """A BlobProto ready to be written: `size` bytes by `write`, the numbers as they lie in memory then."""

    def __init__(self, data: Any, diff: Any = None) -> None:
        wide = data.dtype == np.float64
        self._dtype = _NUMBERS[DOUBLE_DATA if wide else DATA]
        payload = count_of(data.shape) * self._dtype.itemsize
        numbers = (DOUBLE_DATA, DOUBLE_DIFF) if wide else (DATA, DIFF)
        self._parts = [
            (wire.put_bytes(number, payload), array)
            for number, array in zip(numbers, (data, diff), strict=True)
            if array is not None
        ]
        dims = b"".join(wire.put_varint(size) for size in data.shape)
        shape = wire.put_bytes(1, len(dims)) + dims if dims else b""
        self._shape = wire.put_bytes(SHAPE, len(shape)) + shape
        self.size = len(self._shape) + sum(len(start) + payload for start, _ in self._parts)

    def write(self, stream: Any) -> None:
        for start, array in self._parts:
            stream.write(start)
            stream.write(np.ascontiguousarray(array, self._dtype).reshape(-1).view(np.uint8))
        stream.write(self._shape)


def read_file(path: str, what: str, otherwise: str = "") -> memoryview:
    """The whole file; raises SnapshotError where it can't be had.

    otherwise: what to do instead where it holds more than a message can, as a phrase
    """
    try:
        with open(path, "rb") as stream:
            check_size(path, os.fstat(stream.fileno()).st_size, what, otherwise)
            content = stream.read()
    except FileNotFoundError:
        raise SnapshotError(f"there is no such {what}", place=Place(path)) from None
    except OSError as fault:
        raise SnapshotError(f"can't be read: {fault.strerror}", place=Place(path)) from None
    if not content:
        raise SnapshotError(f"the file is empty, so it is no {what}", place=Place(path))
    return memoryview(content)


def check_size(path: str, size: int, what: str, otherwise: str = "") -> None:
    """Raise SnapshotError where a binary file of so many bytes is more than protobuf, and so Caffe, can read."""
    if size > wire.LARGEST:
        raise SnapshotError(
            f"a binary {what} of {size:,} bytes is more than protobuf, and so Caffe, can read ({wire.LARGEST:,})"
            + (otherwise and f"; {otherwise}"),
            place=Place(path),
        )


def begins_with(path: str, start: bytes) -> bool:
    """Whether a file is there and can be read, and begins with these bytes; a pipe does not, being read but once."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as stream:
            return stream.read(len(start)) == start
    except OSError:
        return False


def read_blob(path: str, what: str = "blob file") -> Any:
    """The array of a .binaryproto file, such as a mean image; raises SnapshotError, which calls it what it is to be."""
    try:
        array = array_of(read_file(path, what))
    except wire.TruncatedError:
        raise SnapshotError(f"is no whole {what}: the file ends too soon", place=Place(path)) from None
    except wire.WireError as fault:
        raise SnapshotError(f"is not a {what}, or damaged: {fault}", place=Place(path)) from None
    if not array.size:  # any other message, whose fields have other numbers
        raise SnapshotError(f"is not a {what}: no numbers are in it", place=Place(path))
    return array


def write_blob(path: str, array: Any) -> None:
    """Write a .binaryproto file; raises SnapshotError."""
    atomic_write(path, Encoded(np.asarray(array)).write)
