"""Values of a Python program into the fields of a message."""

from __future__ import annotations

import operator
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from netcli.prototxt import hints
from netcli.prototxt.values import RANGES

_F = FieldDescriptor


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Set field `name` of message `proto` to `val`, or add to it where it is repeated.

    A message is given as a dict of its fields or as a message; a repeated field takes a sequence or array of values,
    or one value alone; an enum takes numbers and names.  NumPy's numbers, whole floats for integers, bytes and paths
    for strings will do.  An empty dict or sequence sets nothing; in a repeated field an empty dict is a message.

    Raises AttributeError for a field that the message does not have, TypeError for a value of another kind, and
    ValueError for one that the field can't hold.  pycaffe takes lists alone for repeated fields, and only dicts for
    messages.
    """
    field = proto.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        raise AttributeError(hints.unknown_field(name, [(proto.DESCRIPTOR, 0)]))
    if field.is_repeated:
        _extend(getattr(proto, name), field, val)
    elif field.message_type is not None:
        _fill(getattr(proto, name), field, val)
    else:
        setattr(proto, name, _scalar(field, val))


def _extend(held: Any, field: FieldDescriptor, value: Any) -> None:
    for each in value if _is_several(value) else [value]:
        if field.message_type is not None:
            _fill(held.add(), field, each)
        else:
            held.append(_scalar(field, each))


def _is_several(value: Any) -> bool:
    if isinstance(value, (str, bytes, Mapping, Message)):
        return False
    return isinstance(value, Iterable) and getattr(value, "ndim", 1) > 0


def _fill(message: Any, field: FieldDescriptor, value: Any) -> None:
    if isinstance(value, type(message)):
        message.MergeFrom(value)
    elif isinstance(value, Mapping):
        for name, each in value.items():
            assign_proto(message, name, each)
    else:
        raise _wrong(field, f"a dict of fields of {message.DESCRIPTOR.name}", value)


def _wrong(field: FieldDescriptor, wanted: str, value: Any) -> TypeError:
    return TypeError(f"{field.name} takes {wanted}, got {value!r}")


def _scalar(field: FieldDescriptor, value: Any) -> Any:
    """What a field that holds no message takes for `value`."""
    if field.type == _F.TYPE_BYTES:
        return _bytes(field, value)
    if field.enum_type is not None:
        return _enum(field, field.enum_type, value)
    if field.cpp_type == _F.CPPTYPE_STRING:
        return _string(field, value)
    if field.cpp_type == _F.CPPTYPE_BOOL:
        return _bool(field, value)
    return _float(field, value) if field.cpp_type not in RANGES else _integer(field, value)


def _bytes(field: FieldDescriptor, value: Any) -> bytes:
    if isinstance(value, (str, bytes)):
        return value.encode() if isinstance(value, str) else value
    raise _wrong(field, "bytes", value)


def _enum(field: FieldDescriptor, enum: Any, value: Any) -> int:
    known = enum.values_by_name
    if isinstance(value, str):
        if value not in known:
            raise ValueError(hints.unknown_value(field.name, enum, value, quoted=False))
        return int(known[value].number)
    number = _whole(field, "a number or name", value)
    if number not in enum.values_by_number:
        raise ValueError(hints.unknown_value(field.name, enum, str(number), quoted=False))
    return number


def _string(field: FieldDescriptor, value: Any) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise ValueError(f"{field.name} takes a string, got bytes that are not UTF-8: {value!r}") from None
    if isinstance(value, str):
        return str(value)
    raise _wrong(field, "a string", value)


def _bool(field: FieldDescriptor, value: Any) -> bool:
    wanted = "True or False"
    return bool(value) if isinstance(value, (bool, np.bool_)) else bool(_whole(field, wanted, value))


def _integer(field: FieldDescriptor, value: Any) -> int:
    number = _whole(field, "a whole number", value)
    low, high = RANGES[field.cpp_type]
    if not low <= number <= high:
        raise ValueError(f"{field.name} takes a whole number of {low} .. {high}, got {number}")
    return number


def _whole(field: FieldDescriptor, wanted: str, value: Any) -> int:
    if isinstance(value, (float, np.floating)) and value.is_integer():
        return int(value)
    try:
        return operator.index(value)
    except TypeError:
        raise _wrong(field, wanted, value) from None


def _float(field: FieldDescriptor, value: Any) -> float:
    try:
        if not isinstance(value, (str, bytes)):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise _wrong(field, "a number", value)
