"""Prototxt text -> message and lines.

A parser of our own, since protobuf's forgets where each field stood as soon as it is done, and its errors name no
file.  Grammar: https://protobuf.dev/reference/protobuf/textformat-spec/; where that leaves room, as the C++ parser
that Caffe uses: a singular field may be given once, a number must fit its field, strings end on their line.
"""

from __future__ import annotations

import functools
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from netcli.errors import Place, PrototxtError
from netcli.prototxt import hints, strings
from netcli.prototxt.lines import Document, Lines

# Blanks and comments, then one token.  One of the groups always matches, so nothing is ever tried twice.
_TOKEN = re.compile(
    r"""(?: \s | \#[^\n]*(?:\n|\Z) )*
    (?: ([A-Za-z_]\w*)                                              # 1 name
      | ( (?:\d|\.\d) (?: [eE][-+](?=\d) | [\w.] )* )               # 2 number, to be looked at when its type is known
      | ( "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )               # 3 string
      | ( [][{}<>:,;-] )                                            # 4 mark
      | ( \Z | . )                                                  # 5 end, or what can't be
    )""",
    re.VERBOSE | re.ASCII,
)
_NAME, _NUMBER, _STRING, _MARK, _OTHER = 1, 2, 3, 4, 5
_CLOSE = {"{": "}", "<": ">"}
_BOOLS = {"true": True, "True": True, "t": True, "false": False, "False": False, "f": False}
_DECIMAL = re.compile(r"(?:0|[1-9]\d*)")
_INTEGER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*")
_FLOAT = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?")
_OCTAL_OR_HEX = re.compile(r"0[xX0-7].*")
_NOT_FINITE = {"inf", "infinity", "nan"}

_F = FieldDescriptor
_RANGES = {
    _F.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    _F.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    _F.CPPTYPE_UINT32: (0, 2**32 - 1),
    _F.CPPTYPE_UINT64: (0, 2**64 - 1),
}


def parse(text: str, message_class: Any, file: str | None = None) -> Document:
    """Read `text` into a message of this class, as it stands: old forms are not upgraded.

    file: what the text is called in messages.  Raises PrototxtError with file and line.
    """
    document = Document(message_class(), Lines(file))
    _Parser(text, file).whole(document)
    if not document.message.IsInitialized():
        raise _missing(document)
    return document


@dataclass(frozen=True)
class _Field:
    """What the parser needs to know of a field, looked up once a type."""

    name: str
    repeated: bool
    is_message: bool
    read: Callable[[_Parser, FieldDescriptor], Any]
    descriptor: FieldDescriptor


class _Parser:
    """One pass over the tokens of a text; `kind`, `token` and `at` are the token not yet used and its offset."""

    def __init__(self, text: str, file: str | None) -> None:
        self.text, self.file = text, file
        self.newlines = [found.start() for found in re.finditer("\n", text)]
        self.tokens = _TOKEN.finditer(text)
        self.opened: list[tuple[Descriptor, int]] = []  # the messages we are in, with the lines that open them
        self.step()

    # -- tokens

    def step(self) -> str:
        """Move on to the next token; returns the one just used."""
        used = getattr(self, "token", "")
        found = next(self.tokens)
        self.kind: int = found.lastindex or _OTHER
        self.token: str = found[self.kind]
        self.at = found.start(self.kind)
        return used

    def line(self) -> int:
        return bisect_right(self.newlines, self.at - 1) + 1

    def error(self, message: str, line: int | None = None) -> PrototxtError:
        return PrototxtError(message, place=Place(self.file or "<text>", line or self.line()))

    def found(self) -> str:
        """The token in a message."""
        if self.kind != _OTHER:
            return self.token if self.kind != _MARK else f"'{self.token}'"
        if not self.token:
            return "the end of the file"
        if self.token in "\"'":
            return f"a string without its closing {self.token}"
        return f"the character {ascii(self.token)}" if not self.token.isprintable() else f"'{self.token}'"

    @property
    def ended(self) -> bool:
        return self.kind == _OTHER and not self.token

    # -- messages

    def whole(self, document: Document) -> None:
        """Fill a message with all of the text."""
        descriptor = document.message.DESCRIPTOR
        self.opened.append((descriptor, 1))
        if self.ended:
            raise PrototxtError(
                f"is empty{' but for comments' if self.text.strip() else ''}; a {descriptor.name} is wanted",
                place=Place(self.file or "<text>"),
            )
        fields = _fields(descriptor)
        while not self.ended:
            if self.token in ("}", ">"):
                raise self.error(f"'{self.token}' closes nothing; a block above is closed once too often")
            self.field(document.message, document.lines, fields)

    def block(self, message: Any, lines: Lines, fields: dict[str, _Field], close: str) -> None:
        """Fill a message with what stands up to its closing brace."""
        while self.token != close or self.kind != _MARK:
            if self.ended:
                raise self.error(self.unclosed(), self.opened[-1][1])
            if self.token in ("}", ">"):
                descriptor, line = self.opened[-1]
                raise self.error(f"{descriptor.name} opened at line {line} is closed by '{self.token}', not '{close}'")
            self.field(message, lines, fields)
        self.step()

    def unclosed(self) -> str:
        descriptor, _ = self.opened[-1]
        return f"the {descriptor.name} opened here is not closed before the file ends at line {self.line()}"

    def field(self, message: Any, lines: Lines, fields: dict[str, _Field]) -> None:
        """One field with its value or values."""
        if self.kind != _NAME:
            raise self.error(f"expected a field of {self.opened[-1][0].name}, found {self.found()}")
        field = fields.get(self.token)
        if field is None:
            raise self.error(hints.unknown_field(self.token, self.opened))
        line = self.line()
        places = lines.fields.get(field.name)
        if places is None:
            places = lines.fields[field.name] = []
        elif not field.repeated:
            owner = self.opened[-1][0].name
            raise self.error(f"'{field.name}' is given twice in this {owner}, first at line {places[0].line}")
        self.step()
        if field.is_message:
            self.messages(message, field, places)
        else:
            self.scalars(message, field, places, line)
        if self.token in (",", ";") and self.kind == _MARK:
            self.step()

    def messages(self, message: Any, field: _Field, places: list[Lines]) -> None:
        """The value of a field of message type: a block, or a list of blocks."""
        name = field.descriptor.message_type.name
        if self.token == ":":
            self.step()
        if field.repeated and self.token == "[":
            for _ in self.items():
                self.one_message(getattr(message, field.name).add(), name, field, places)
        else:
            if self.token not in _CLOSE:
                raise self.error(f"'{field.name}' is a {name}: expected '{{', found {self.found()}")
            held = getattr(message, field.name)
            if field.repeated:
                held = held.add()
            else:
                held.SetInParent()
            self.one_message(held, name, field, places)

    def one_message(self, message: Any, name: str, field: _Field, places: list[Lines]) -> None:
        if self.token not in _CLOSE:
            raise self.error(f"'{field.name}' is a {name}: expected '{{', found {self.found()}")
        descriptor = field.descriptor.message_type
        lines = Lines(self.file, self.line())
        places.append(lines)
        self.opened.append((descriptor, lines.line or 0))
        self.block(message, lines, _fields(descriptor), _CLOSE[self.step()])
        self.opened.pop()
