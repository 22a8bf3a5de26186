"""Datum: the message that Caffe's databases hold, one image and its label."""

from __future__ import annotations

from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from netcli.arrays.layout import size_text
from netcli.errors import DataError
from netcli.prototxt import schema
from netcli.sources.image_file import decode_image

_Datum = schema.message_class("Datum")


def read_datum(value: bytes, color: bool | None = None) -> tuple[Any, int]:
    """(image, label) of a serialised Datum.

    image: (C, H, W), uint8 as stored or decoded (JPEG, PNG, ...), else float32 from float_data; BGR in 0..255
    color: for encoded images, 3 channels (True), 1 (False), or as many as the file has (None)
    Raises DataError, which says what is wrong but not where: the caller knows the record.
    """
    try:
        datum = _Datum.FromString(value)
    except DecodeError:
        raise DataError(f"{len(value)} bytes that are not a Datum") from None
    if datum.encoded:
        return decode_image(datum.data, color), datum.label
    shape = (datum.channels, datum.height, datum.width)
    wanted = datum.channels * datum.height * datum.width
    if min(shape) < 1:
        raise DataError(f"a Datum of {size_text(shape)} has no pixels")
    if datum.data:
        image = np.frombuffer(datum.data, np.uint8)
    else:
        image = np.array(datum.float_data, np.float32)
    if image.size != wanted:
        raise DataError(f"a Datum of {size_text(shape)} wants {wanted} values, it holds {image.size}")
    return image.reshape(shape), datum.label


def write_datum(image: Any, label: int) -> bytes:
    """A serialised Datum of an image (C, H, W): uint8 goes to `data`, anything else to `float_data`."""
    channels, height, width = image.shape
    datum = _Datum(channels=channels, height=height, width=width, label=label)
    if image.dtype == np.uint8:
        datum.data = image.tobytes()
        datum.encoded = False  # said where it is so too, as in Caffe's own
    else:
        datum.float_data.extend(image.ravel().tolist())
    return bytes(datum.SerializeToString())


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
