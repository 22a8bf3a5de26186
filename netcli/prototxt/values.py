"""Values of scalar fields, from tokens: each reader uses up its tokens and returns what the message takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from google.protobuf.descriptor import FieldDescriptor

from netcli.prototxt import hints
from netcli.prototxt.strings import unquote
from netcli.prototxt.tokens import NAME, NUMBER, STRING, Tokens, name_of

_INTEGER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*")  # hexadecimal, octal, decimal
_LEADING_ZEROS = re.compile(r"0\d+")  # octal as a whole number, and so refused where a float is wanted
_FLOAT = re.compile(r"(?!0\d+\Z)(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?")
_NOT_FINITE = ("inf", "infinity", "nan")
_BOOLS = {"true": True, "True": True, "t": True, "false": False, "False": False, "f": False}

_F = FieldDescriptor
RANGES = {
    _F.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    _F.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    _F.CPPTYPE_UINT32: (0, 2**32 - 1),
    _F.CPPTYPE_UINT64: (0, 2**64 - 1),
}

Reader = Callable[[Tokens, FieldDescriptor], Any]


def reader(field: FieldDescriptor) -> Reader:
    """What reads the values of a field, which is not of message type."""
    return _bytes if field.type == _F.TYPE_BYTES else _READERS[field.cpp_type]


def _sign(tokens: Tokens) -> str:
    return tokens.step() if tokens.token == "-" else ""


def _whole(digits: str) -> int:
    """The number that matches _INTEGER, perhaps after a sign."""
    return int(digits, 8 if _LEADING_ZEROS.fullmatch(digits.lstrip("-")) else 0)


def _integer(tokens: Tokens, field: FieldDescriptor) -> int:
    sign = _sign(tokens)
    if tokens.kind != NUMBER or not _INTEGER.fullmatch(tokens.token):
        raise tokens.wrong(field, "a whole number", sign + tokens.found())
    value = _whole(sign + tokens.token)
    low, high = RANGES[field.cpp_type]
    if not low <= value <= high:
        raise tokens.wrong(field, f"a whole number of {low} .. {high}", str(value))
    tokens.step()
    return value


def _float(tokens: Tokens, field: FieldDescriptor) -> float:
    """A number; one beyond the field's type is infinite, as in Caffe."""
    sign = _sign(tokens)
    if tokens.kind == NAME and tokens.token.lower() in _NOT_FINITE:
        return float(sign + tokens.step())
    if tokens.kind != NUMBER or not _FLOAT.fullmatch(tokens.token):
        zeros = " without zeros before it" if _LEADING_ZEROS.fullmatch(tokens.token) else ""
        raise tokens.wrong(field, f"a number{zeros}", sign + tokens.found())
    return float(sign + tokens.step().rstrip("fF"))


def _bool(tokens: Tokens, field: FieldDescriptor) -> bool:
    if tokens.kind == NAME and tokens.token in _BOOLS:
        return _BOOLS[tokens.step()]
    if tokens.kind == NUMBER and _INTEGER.fullmatch(tokens.token) and _whole(tokens.token) in (0, 1):
        return _whole(tokens.step()) == 1
    raise tokens.wrong(field, "true or false")


def _enum(tokens: Tokens, field: FieldDescriptor) -> int:
    """The number of an enum's value, which stands by its name or number."""
    values: Any = field.enum_type
    sign = _sign(tokens)
    if tokens.kind == NAME and not sign and tokens.token in values.values_by_name:
        return int(values.values_by_name[tokens.step()].number)
    if tokens.kind == NUMBER and _INTEGER.fullmatch(tokens.token):
        number = _whole(sign + tokens.token)
        if number in values.values_by_number:
            tokens.step()
            return number
    found = sign + tokens.found()
    raise tokens.error(hints.unknown_value(name_of(field), values, found, quoted=tokens.kind == STRING))


def _bytes(tokens: Tokens, field: FieldDescriptor) -> bytes:
    """The bytes of a string, or of several that follow one another."""
    if tokens.kind != STRING:
        raise tokens.wrong(field, "text in quotes")
    parts = []
    while tokens.kind == STRING:
        try:
            parts.append(unquote(tokens.token))
        except ValueError as fault:
            raise tokens.error(f"{name_of(field)}: {fault}") from None
        tokens.step()
    return b"".join(parts)


def _string(tokens: Tokens, field: FieldDescriptor) -> str:
    line = tokens.line()
    value = _bytes(tokens, field)
    try:
        return value.decode()
    except UnicodeDecodeError as fault:
        raise tokens.error(
            f"{name_of(field)} takes UTF-8 text, found the byte 0x{value[fault.start]:02x}", line
        ) from None


_READERS: dict[int, Reader] = {
    _F.CPPTYPE_INT32: _integer,
    _F.CPPTYPE_INT64: _integer,
    _F.CPPTYPE_UINT32: _integer,
    _F.CPPTYPE_UINT64: _integer,
    _F.CPPTYPE_FLOAT: _float,
    _F.CPPTYPE_DOUBLE: _float,
    _F.CPPTYPE_BOOL: _bool,
    _F.CPPTYPE_ENUM: _enum,
    _F.CPPTYPE_STRING: _string,
}
