"""`caffe.io`: arrays to the messages of Caffe's files and back, and the images and the Transformer of its programs.

The messages that are read may be of any class with the same fields, such as another caffe_pb2's.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from netcli.arrays.layout import size_text
from netcli.errors import NetcliError
from netcli.pycaffe.images import ArrayError, load_image, oversample, resize, resize_image
from netcli.pycaffe.proto import caffe_pb2
from netcli.pycaffe.transformer import Transformer
from netcli.sources.image_file import decode_image

__all__ = [
    "Transformer",
    "array_to_blobproto",
    "array_to_datum",
    "arraylist_to_blobprotovector_str",
    "blobproto_to_array",
    "blobprotovector_str_to_arraylist",
    "caffe_pb2",
    "datum_to_array",
    "load_image",
    "oversample",
    "resize",
    "resize_image",
]

LEGACY = ("num", "channels", "height", "width")


def blobproto_to_array(blob: Any, return_diff: bool = False) -> Any:
    """The data of a BlobProto, or its diff, as float64 of the shape it has.

    One that has num, channels, height or width gives four axes whatever else; one without any shape is a scalar.
    Numbers stored as doubles are read too, which pycaffe does not.  Raises ArrayError where numbers and shape differ.
    """
    values = blob.diff or blob.double_diff if return_diff else blob.data or blob.double_data
    legacy = any(blob.HasField(name) for name in LEGACY)
    shape = tuple(getattr(blob, name) for name in LEGACY) if legacy else tuple(blob.shape.dim)
    return _shaped(np.fromiter(values, np.float64, len(values)), shape, "a BlobProto")


def array_to_blobproto(arr: Any, diff: Any = None) -> Any:
    """A BlobProto of an array of any shape, and of a diff, which should be of the same shape."""
    blob = caffe_pb2.BlobProto()
    blob.shape.dim.extend(arr.shape)
    blob.data.extend(np.asarray(arr, np.float64).ravel())
    if diff is not None:
        blob.diff.extend(np.asarray(diff, np.float64).ravel())
    return blob


def arraylist_to_blobprotovector_str(arraylist: Iterable[Any]) -> bytes:
    """The bytes of a BlobProtoVector of arrays."""
    vector = caffe_pb2.BlobProtoVector(blobs=[array_to_blobproto(arr) for arr in arraylist])
    return bytes(vector.SerializeToString())


def blobprotovector_str_to_arraylist(str: bytes) -> list[Any]:
    """The arrays in the bytes of a BlobProtoVector."""
    return [blobproto_to_array(blob) for blob in caffe_pb2.BlobProtoVector.FromString(str).blobs]


def array_to_datum(arr: Any, label: int | None = None) -> Any:
    """A Datum of an array (C, H, W): uint8 is stored as bytes, anything else as floats.

    label: None leaves it out.  Raises ArrayError for another number of axes.
    """
    if arr.ndim != 3:
        raise ArrayError(f"a Datum holds an array (C, H, W), and this is one of {size_text(arr.shape)}")
    channels, height, width = arr.shape
    datum = caffe_pb2.Datum(channels=channels, height=height, width=width)
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(np.asarray(arr, np.float64).ravel())
    if label is not None:
        datum.label = label
    return datum


def datum_to_array(datum: Any) -> Any:
    """(C, H, W) of a Datum: uint8 from bytes, else float64; the label is `datum.label`.

    An encoded image is decoded, BGR, which pycaffe leaves to the program.  Raises ArrayError where numbers and shape
    differ, DataError for an image that can't be decoded.
    """
    if datum.encoded:
        return decode_image(datum.data)
    if datum.data:
        values = np.frombuffer(datum.data, np.uint8).copy()
    else:
        values = np.fromiter(datum.float_data, np.float64, len(datum.float_data))
    return _shaped(values, (datum.channels, datum.height, datum.width), "a Datum")


def _shaped(values: Any, shape: tuple[int, ...], what: str) -> Any:
    try:
        return values.reshape(shape)
    except ValueError:
        raise ArrayError(f"{what} of shape {shape} holds {values.size} numbers") from None


def __getattr__(name: str) -> Any:
    """pycaffe's `caffe.io.skimage`, which programs use for what is not here: scikit-image, where it is installed."""
    if name != "skimage":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        for part in ("io", "transform"):
            importlib.import_module(f"skimage.{part}")
        return importlib.import_module("skimage")
    except ImportError:
        raise NetcliError("caffe.io.skimage is scikit-image: pip install scikit-image") from None
