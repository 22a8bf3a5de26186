"""protobuf's wire format, as far as files of weights need it.

A message is a row of fields: a tag (number << 3 | kind), then a varint, 8 or 4 bytes, or a length and
so many bytes.  Written by hand because these files hold hundreds of megabytes of floats, which pass here
as they lie in memory, and because forks of Caffe give one number different meanings: fields that
are not asked for are stepped over, whatever they hold.
"""

from __future__ import annotations

from collections.abc import Iterator

LARGEST = 2**31 - 1  # bytes of a message: protobuf, and so Caffe, reads and writes no more
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
_FIXED = {FIXED64: 8, FIXED32: 4}


class WireError(Exception):
    """These bytes are not a message."""


class TruncatedError(WireError):
    """A message ends before what it announces; `rest` is what there is of that field, `number` which it is."""

    def __init__(self, number: int, rest: memoryview) -> None:
        super().__init__(f"field {number} ends before its length")
        self.number = number
        self.rest = rest


def fields(message: memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """(number, kind, content) of each field in turn; the content of a varint is its bytes.

    Raises WireError, or TruncatedError where a field reaches beyond the end.
    """
    at, end = 0, len(message)
    while at < end:
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if number == 0 or number > 2**29 - 1:
            raise WireError(f"there is no field number {number}")
        start = at
        if kind == BYTES:
            size, start = _varint(message, at)
        elif kind == VARINT:
            size = _varint(message, at)[1] - at
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise WireError(f"field {number} has the kind {kind}")
        at = start + size
        if at > end:
            raise TruncatedError(number, message[start:])
        yield number, kind, message[start:at]


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The varint at a position, and the position behind it."""
    value = shift = 0
    while True:
        if at >= len(message):
            raise TruncatedError(0, message[at:])
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), at
        shift += 7
        if shift > 63:
            raise WireError("a varint is longer than ten bytes")


def varint(content: memoryview) -> int:
    """The number, not negative, that a varint's bytes hold."""
    return _varint(content, 0)[0]


def varints(content: memoryview) -> list[int]:
    """The numbers of a packed field."""
    values = []
    at = 0
    while at < len(content):
        value, at = _varint(content, at)
        values.append(value)
    return values


def put_varint(value: int) -> bytes:
    """A number, not negative, as a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_tag(number: int, kind: int) -> bytes:
    """The start of a field."""
    return put_varint(number << 3 | kind)


def put_bytes(number: int, size: int) -> bytes:
    """The start of a field of `size` bytes, which follow."""
    return put_tag(number, BYTES) + put_varint(size)
