"""The keys of records, as Caffe's convert_imageset makes them: a number of eight digits, `_`, and the image's path."""

from __future__ import annotations

import re

DIGITS = 8  # of the number; as many as needed beyond 99,999,999
_NUMBERED = re.compile(rb"(\d+)(?:_(.+))?", re.DOTALL)


def key_form(key: bytes) -> str:
    """The form of a key in words."""
    found = _NUMBERED.fullmatch(key)
    if found is None:
        return "no number first"
    return f"a number of {len(found[1])} digits" + ("" if found[2] is None else ", _ and a name")


def name_in(key: bytes) -> bytes:
    """What a key says beside its number: all of it where there is none, nothing where it is a number alone."""
    found = _NUMBERED.fullmatch(key)
    return key if found is None else found[2] or b""


def renumbered(key: bytes, number: int, total: int) -> bytes:
    """The key with another number, which sorts rightly among those of `total` records from 0."""
    name = name_in(key)
    return b"%0*d" % (max(DIGITS, len(str(total - 1))), number) + (b"_" + name if name else b"")
