"""Message -> prototxt text, as people write Caffe's."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from netcli.prototxt.strings import quote

INDENT = "  "
FLOAT_DIGITS = range(6, 9)  # 9 always tell a float32; C's %g has 6


def to_text(message: Any) -> str:
    """The message as text that `parse` reads to an equal one: a field a line, in the order of proto/caffe.proto."""
    lines: list[str] = []
    _write(message, "", lines.append)
    return "".join(lines)


def _write(message: Any, indent: str, write: Callable[[str], None]) -> None:
    given = {field.name: value for field, value in message.ListFields()}
    for field in message.DESCRIPTOR.fields:
        if field.name not in given:
            continue
        held = given[field.name]
        values = held if field.is_repeated else (held,)
        if field.message_type is not None:
            for value in values:
                write(f"{indent}{field.name} {{\n")
                _write(value, indent + INDENT, write)
                write(f"{indent}}}\n")
        else:
            for value in values:
                write(f"{indent}{field.name}: {_value(field, value)}\n")


def _value(field: FieldDescriptor, value: Any) -> str:
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        return quote(value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return "true" if value else "false"
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    if field.cpp_type == FieldDescriptor.CPPTYPE_FLOAT:
        return float_text(value)
    if field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
        return repr(value).removesuffix(".0")
    return str(value)


def float_text(value: float) -> str:
    """The shortest decimal number that is this float32: 0.1, 1e-08, 227."""
    for digits in FLOAT_DIGITS:
        text = f"{value:.{digits}g}"
        if _float32(text) == value:
            return text
    return f"{value:.9g}"


def _float32(text: str) -> float:
    try:
        (value,) = struct.unpack("f", struct.pack("f", float(text)))
    except OverflowError:  # rounded up beyond the largest float
        return float("inf")
    return float(value)
