"""Prototxt text -> message and lines.

A parser of our own, since protobuf's forgets where each field stood as soon as it is done, and its errors name no
file.  Grammar: https://protobuf.dev/reference/protobuf/textformat-spec/; where that leaves room, as the C++ parser
that Caffe uses: a singular field may be given once, a number must fit its field, strings end on their line.
"""

from __future__ import annotations

import functools
import logging
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
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
_INTEGER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*")
_FLOAT = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?[fF]?")
_NOT_FINITE = {"inf", "infinity", "nan"}

_LISTED_BY_FORKS = {"caffe.SolverParameter.device_id"}  # TSN: the devices of several GPUs

_log = logging.getLogger("netcli")

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

    # -- values

    def scalars(self, message: Any, field: _Field, places: list[Lines], line: int) -> None:
        """The value of any other field, or a list of values."""
        if self.token != ":":
            raise self.error(f"expected ':' after '{field.name}', found {self.found()}")
        self.step()
        if self.token == "[" and self.kind == _MARK:
            if not field.repeated:
                self.first_of_list(message, field, places)
                return
            values = getattr(message, field.name)
            for _ in self.items():
                places.append(Lines(self.file, self.line()))
                values.append(field.read(self, field.descriptor))
            return
        places.append(Lines(self.file, line))
        value = field.read(self, field.descriptor)
        if field.repeated:
            getattr(message, field.name).append(value)
        else:
            setattr(message, field.name, value)

    def first_of_list(self, message: Any, field: _Field, places: list[Lines]) -> None:
        """A list where one value is wanted: a fault, but for fields that a fork made repeated."""
        if field.descriptor.full_name not in _LISTED_BY_FORKS:
            raise self.wrong(field.descriptor, "one value", "a list")
        place = Lines(self.file, self.line())
        values = [field.read(self, field.descriptor) for _ in self.items()]
        if values:
            places.append(place)
            setattr(message, field.name, values[0])
            _log.warning("%s: of %d values of %s the first is used", place.place(), len(values), field.name)

    def items(self) -> Iterator[None]:
        """The items of a list in brackets; whoever iterates reads each."""
        opened = self.line()
        self.step()
        if self.token == "]":
            self.step()
            return
        while True:
            yield
            if self.ended:
                raise self.error("the list opened here is not closed before the file ends", opened)
            if self.token not in (",", "]"):
                raise self.error(f"expected ',' or ']' in the list opened at line {opened}, found {self.found()}")
            if self.step() == "]":
                return

    def wrong(self, field: FieldDescriptor, wanted: str, found: str | None = None) -> PrototxtError:
        owner = field.containing_type.name
        return self.error(f"{owner}.{field.name} takes {wanted}, found {found or self.found()}")

    def sign(self) -> str:
        if self.token == "-" and self.kind == _MARK:
            return self.step()
        return ""

    def integer(self, field: FieldDescriptor) -> int:
        sign = self.sign()
        if self.kind != _NUMBER or not _INTEGER.fullmatch(self.token):
            raise self.wrong(field, "a whole number")
        value = _whole(sign + self.token)
        low, high = _RANGES[field.cpp_type]
        if not low <= value <= high:
            raise self.wrong(field, f"a whole number of {low} .. {high}", str(value))
        self.step()
        return value

    def float(self, field: FieldDescriptor) -> float:
        sign = self.sign()
        if self.kind == _NAME and self.token.lower() in _NOT_FINITE:
            return float(sign + self.step())
        if self.kind != _NUMBER or not _FLOAT.fullmatch(self.token):
            raise self.wrong(field, "a number")
        if self.token.isdigit() and self.token[0] == "0" and len(self.token) > 1:
            raise self.wrong(field, "a decimal number, without zeros before it")
        return float(sign + self.step().rstrip("fF"))

    def bool(self, field: FieldDescriptor) -> bool:
        if self.kind == _NAME and self.token in _BOOLS:
            return _BOOLS[self.step()]
        if self.kind == _NUMBER and _INTEGER.fullmatch(self.token) and _whole(self.token) in (0, 1):
            return _whole(self.step()) == 1
        raise self.wrong(field, "true or false")

    def enum(self, field: FieldDescriptor) -> int:
        sign = self.sign()
        by_name, by_number = field.enum_type.values_by_name, field.enum_type.values_by_number
        if self.kind == _NAME and not sign and self.token in by_name:
            return int(by_name[self.step()].number)
        if self.kind == _NUMBER and _INTEGER.fullmatch(self.token):
            number = _whole(sign + self.token)
            if number in by_number:
                self.step()
                return number
        raise self.error(hints.unknown_value(field, sign + self.found()))

    def string(self, field: FieldDescriptor) -> str:
        return self.decoded(self.raw(field))

    def raw(self, field: FieldDescriptor) -> bytes:
        """The bytes of one string, or of several that follow each other."""
        if self.kind != _STRING:
            if self.token in ("'", '"'):
                raise self.error("a string is not closed on its line")
            raise self.wrong(field, "text in quotes")
        parts = []
        while self.kind == _STRING:
            try:
                parts.append(strings.unquote(self.token))
            except ValueError as fault:
                raise self.error(str(fault)) from None
            self.step()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def decoded(self, raw: bytes) -> str:
        try:
            return raw.decode()
        except UnicodeDecodeError as fault:
            raise self.error(f"a string holds the byte 0x{raw[fault.start]:02x}, which is not UTF-8 text") from None


def _whole(digits: str) -> int:
    """A whole number: decimal, hexadecimal after 0x, octal after 0."""
    unsigned = digits.lstrip("-")
    octal = len(unsigned) > 1 and unsigned.isdigit() and unsigned[0] == "0"
    return int(digits, 8 if octal else 0)


_READERS = {
    _F.CPPTYPE_INT32: _Parser.integer,
    _F.CPPTYPE_INT64: _Parser.integer,
    _F.CPPTYPE_UINT32: _Parser.integer,
    _F.CPPTYPE_UINT64: _Parser.integer,
    _F.CPPTYPE_FLOAT: _Parser.float,
    _F.CPPTYPE_DOUBLE: _Parser.float,
    _F.CPPTYPE_BOOL: _Parser.bool,
    _F.CPPTYPE_ENUM: _Parser.enum,
    _F.CPPTYPE_STRING: _Parser.string,
    _F.CPPTYPE_MESSAGE: None,
}


@functools.cache
def _fields(descriptor: Descriptor) -> dict[str, _Field]:
    """The fields of a message type, by name."""
    return {
        field.name: _Field(
            field.name,
            field.is_repeated,
            field.message_type is not None,
            _Parser.raw if field.type == _F.TYPE_BYTES else _READERS[field.cpp_type],
            field,
        )
        for field in descriptor.fields
    }


def _missing(document: Document) -> PrototxtError:
    """What to say of a message that lacks required fields; of several, the first."""
    *above, name = document.message.FindInitializationErrors()[0].split(".")
    here = document
    for step in above:
        field, _, index = step.rstrip("]").partition("[")
        held = getattr(here.message, field)
        here = Document(held[int(index)] if index else held, here.lines.child(field, int(index or 0)))
    owner = here.message.DESCRIPTOR.name
    return PrototxtError(f"this {owner} needs '{name}'", place=here.lines.place())


def top_fields(text: str) -> Iterator[tuple[str, int]]:
    """The names that stand outside all braces as fields do, with their lines; faults of the text are passed over."""
    depth, line, counted = 0, 1, 0
    value = False  # whether what stands here is a field's value
    for found in _TOKEN.finditer(text):
        kind = found.lastindex
        token = found[kind or _OTHER]
        if kind == _MARK:
            depth = max(0, depth + (token in "{<[") - (token in "}>]"))
            value = token == ":"
        elif kind == _NAME and depth == 0 and not value:
            at = found.start(_NAME)
            line, counted = line + text.count("\n", counted, at), at
            yield token, line
        elif kind != _OTHER or token:
            value = False
