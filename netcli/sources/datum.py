"""Datum: the message that Caffe's databases hold, one image and its label."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from netcli.arrays.layout import Shape, size_text
from netcli.errors import DataError
from netcli.prototxt import schema
from netcli.sources.image_file import Needs, decode_image, image_facts

_Datum = schema.message_class("Datum")


def read_datum(value: bytes | memoryview, color: bool | None = None, need: Needs | None = None) -> tuple[Any, int]:
    """(image, label) of a serialised Datum.

    image: (C, H, W), uint8 as stored (a view of `value`) or decoded (JPEG, PNG, ...), else float32 from float_data; BGR
        in 0..255
    color, need: for encoded images, see `decode_image`
    Raises DataError, which says what is wrong but not where: the caller knows the record.
    """
    datum = _parsed(value)
    if datum.encoded:
        return decode_image(datum.data, color, need), datum.label
    shape = _shape(datum)
    if len(datum.data):
        image = np.frombuffer(datum.data, np.uint8)
    else:
        image = np.array(datum.float_data, np.float32)
    return image.reshape(shape), datum.label


def datum_facts(value: bytes | memoryview) -> tuple[str, Shape, int]:
    """(form, (C, H, W), label) of a serialised Datum, of which no pixel is decoded; raises DataError as `read_datum`.

    form: "bytes" or "floats", or of an encoded image its format ("JPEG", "PNG", ...)
    """
    datum = _parsed(value)
    if datum.encoded:
        return *image_facts(datum.data), datum.label
    return "bytes" if len(datum.data) else "floats", _shape(datum), datum.label


def datum_label(value: bytes | memoryview) -> int:
    """The label of a serialised Datum, whatever its image is; raises DataError."""
    label: int = _parsed(value).label
    return label


def encoded_bytes(value: bytes | memoryview) -> bytes | None:
    """The image file that a serialised Datum holds, None where it holds pixels; raises DataError."""
    datum = _parsed(value)
    return bytes(datum.data) if datum.encoded else None


def _parsed(value: bytes | memoryview) -> Any:
    datum: Any = _usual(value)
    if datum is None:
        try:
            datum = _Datum.FromString(bytes(value))
        except DecodeError:
            raise DataError(f"{len(value)} bytes that are not a Datum") from None
    return datum


def _shape(datum: Any) -> Shape:
    """(C, H, W) of a Datum that is not encoded; raises DataError where its values are not as many."""
    shape = (datum.channels, datum.height, datum.width)
    wanted = datum.channels * datum.height * datum.width
    if min(shape) < 1:
        raise DataError(f"a Datum of {size_text(shape)} has no pixels")
    held = len(datum.data) or len(datum.float_data)
    if held != wanted:
        raise DataError(f"a Datum of {size_text(shape)} wants {wanted} values, it holds {held}")
    return shape


class _Usual:
    """The fields of a Datum of bytes."""

    __slots__ = ("channels", "data", "encoded", "float_data", "height", "label", "width")

    def __init__(self) -> None:
        self.channels = self.height = self.width = self.label = self.encoded = 0
        self.data: bytes | memoryview = b""
        self.float_data = ()


# Its fields that are numbers, by their tags; 0x22 is that of `data`.
_NUMBERS = {0x08: "channels", 0x10: "height", 0x18: "width", 0x28: "label", 0x38: "encoded"}


MOST_BITS = 63  # that a number may be shifted by: it has 10 bytes at most


def _usual(value: bytes | memoryview) -> _Usual | None:
    """A Datum as they nearly all are, without a copy of its image; None for any other, which is protobuf's to read."""
    datum, at, end = _Usual(), 0, len(value)
    try:
        while at < end:
            tag, number, shift = value[at], 0, 0
            at += 1
            while True:
                byte = value[at]
                at += 1
                number |= (byte & 0x7F) << shift
                if byte < 0x80:
                    break
                shift += 7
                if shift > MOST_BITS:
                    return None
            if tag == 0x22:
                if number > end - at:
                    return None
                datum.data = value[at : at + number]
                at += number
            elif number < 1 << 31 and tag in _NUMBERS:
                setattr(datum, _NUMBERS[tag], number)
            else:
                return None
    except IndexError:
        return None
    return datum


def write_datum(image: Any, label: int) -> bytes:
    """A serialised Datum of an image (C, H, W): uint8 goes to `data`, anything else to `float_data`.

    Raises ValueError for a label that is no int32.
    """
    channels, height, width = image.shape
    if image.dtype == np.uint8:
        # By hand in a third of protobuf's time, to the same bytes.
        return b"".join((_before_data(channels, height, width), image.tobytes(), _behind_data(int(label))))
    datum = _Datum(channels=channels, height=height, width=width, label=label)
    datum.float_data.extend(image.ravel().tolist())
    return bytes(datum.SerializeToString())


@lru_cache(maxsize=64)
def _before_data(channels: int, height: int, width: int) -> bytes:
    numbers = b"".join(
        (b"\x08", _varint(channels), b"\x10", _varint(height), b"\x18", _varint(width), b"\x22"),
    )
    return numbers + _varint(channels * height * width)


@lru_cache(maxsize=1024)
def _behind_data(label: int) -> bytes:
    if not -(1 << 31) <= label < 1 << 31:
        raise ValueError(f"label {label} is no int32")
    # That it is not encoded is said where it is so too, as in Caffe's own.
    return b"\x28" + _varint(label) + b"\x38\x00"


def _varint(number: int) -> bytes:
    """A whole number as protobuf writes it: 7 bits in a byte, the lowest first; one below 0 as if it had 64 bits."""
    left, written = number & ((1 << 64) - 1), bytearray()
    while left >= 0x80:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)


def write_features(values: Any) -> bytes:
    """A serialised Datum of numbers that are no image, as Caffe's extract_features: without a label.

    values: of up to three axes, which count as channels, height and width
    """
    channels, height, width = (*values.shape, 1, 1, 1)[:3]
    datum = _Datum(channels=channels, height=height, width=width)
    datum.float_data.extend(values.ravel().tolist())
    return bytes(datum.SerializeToString())


def write_encoded_datum(data: bytes, label: int) -> bytes:
    """A serialised Datum of an image file's bytes (JPEG, PNG, ...)."""
    return bytes(_Datum(data=data, label=label, encoded=True).SerializeToString())
