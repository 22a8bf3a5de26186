"""Quoted strings of the text format, to bytes and back."""

from __future__ import annotations

import re

_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_SIMPLE = {"a": 7, "b": 8, "t": 9, "n": 10, "v": 11, "f": 12, "r": 13, '"': 34, "'": 39, "?": 63, "\\": 92}
_TO_QUOTE = re.compile(r'[\x00-\x1f\x7f"\\]')
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


def unquote(token: str) -> bytes:
    """The bytes that a string with its quotes stands for; bytes that were no UTF-8 in the file are as there.

    Raises ValueError, with a sentence, for an escape there is not.
    """
    inside = token[1:-1]
    if "\\" not in inside:
        return inside.encode("utf-8", "surrogateescape")
    parts = []
    end = 0
    for found in _ESCAPE.finditer(inside):
        parts.append(inside[end : found.start()].encode("utf-8", "surrogateescape"))
        parts.append(_unescape(found))
        end = found.end()
    parts.append(inside[end:].encode("utf-8", "surrogateescape"))
    return b"".join(parts)


def _unescape(found: re.Match[str]) -> bytes:
    octal, hexadecimal, short, long, letter = found.groups()
    if letter is not None:
        if letter not in _SIMPLE:
            raise ValueError(f"\\{letter} stands for nothing in a string; a backslash is written \\\\")
        return bytes([_SIMPLE[letter]])
    if short or long:
        code = int(short or long, 16)
        if code > 0x10FFFF or 0xD800 <= code < 0xE000:
            raise ValueError(f"{found[0]} is no character")
        return chr(code).encode()
    value = int(octal, 8) if octal else int(hexadecimal, 16)
    if value > 255:
        raise ValueError(f"{found[0]} is more than a byte")
    return bytes([value])


def quote(value: str | bytes) -> str:
    """A string as prototxt has it; text is left readable, bytes are escaped where they are not ASCII."""
    if isinstance(value, bytes):
        return '"' + "".join(_NAMED.get(chr(b)) or (chr(b) if 32 <= b < 127 else f"\\{b:03o}") for b in value) + '"'
    return '"' + _TO_QUOTE.sub(lambda found: _NAMED.get(found[0]) or f"\\{ord(found[0]):03o}", value) + '"'
