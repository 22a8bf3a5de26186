"""Prototxt text -> message and lines.

A parser of our own, since protobuf's forgets where each field stood as soon as it is done, and its errors name no
file.  Grammar: https://protobuf.dev/reference/protobuf/textformat-spec/; where that leaves room, as the C++ parser
that Caffe uses: a singular field is given once, a number fits its field, a string ends on its line.
"""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from netcli.errors import Place, PrototxtError
from netcli.prototxt import hints
from netcli.prototxt.lines import Document, Lines
from netcli.prototxt.tokens import NAME, Tokens
from netcli.prototxt.values import Reader, reader

_CLOSE = {"{": "}", "<": ">"}
_LISTED_BY_FORKS = {"caffe.SolverParameter.device_id"}  # TSN: the devices of several GPUs

_log = logging.getLogger("netcli")


def parse(text: str, message_class: Any, file: str | None = None) -> Document:
    """Read `text` into a message of this class, as it stands: old forms are not upgraded.

    file: what the text is called in messages.  Raises PrototxtError with file and line.
    """
    document = Document(message_class(), Lines(file))
    tokens = Tokens(text, file)
    name = message_class.DESCRIPTOR.name
    if tokens.ended:
        raise PrototxtError(
            f"is empty{' but for comments' if text.strip() else ''}; a {name} is wanted", place=Place(file or "<text>")
        )
    _Parser(tokens).fields(document.message, document.lines, None)
    if not document.message.IsInitialized():
        raise _missing(document)
    return document


@dataclass(frozen=True)
class _Field:
    """What the parser needs to know of a field, looked up once for each type of message."""

    name: str
    repeated: bool
    message_type: Descriptor | None
    descriptor: FieldDescriptor
    read: Reader | None  # of a scalar


@functools.cache
def _fields(message_type: Descriptor) -> dict[str, _Field]:
    """The fields of a message type, by name."""
    return {
        field.name: _Field(
            field.name,
            field.is_repeated,
            field.message_type,
            field,
            reader(field) if field.message_type is None else None,
        )
        for field in message_type.fields
    }


class _Parser:
    """Fills messages from tokens."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.opened: list[tuple[Descriptor, int]] = []  # the messages we are in, and the lines that open them

    def fields(self, message: Any, lines: Lines, close: str | None) -> None:
        """Fill a message with what stands up to its closing mark, or, with None, to the end."""
        tokens = self.tokens
        self.opened.append((message.DESCRIPTOR, lines.line or 1))
        known = _fields(message.DESCRIPTOR)
        while tokens.token != close:
            if tokens.kind != NAME:
                if close is None and tokens.ended:
                    break
                raise self.not_a_field(message.DESCRIPTOR, lines, close)
            field = known.get(tokens.token)
            if field is None:
                raise tokens.error(hints.unknown_field(tokens.token, self.opened))
            self.field(message, lines, field)
            if tokens.token in (",", ";"):
                tokens.step()
        if close is not None:
            tokens.step()
        self.opened.pop()

    def not_a_field(self, message_type: Descriptor, lines: Lines, close: str | None) -> PrototxtError:
        """What to say where a field is wanted and there is something else."""
        tokens, name = self.tokens, message_type.name
        if tokens.ended:
            return tokens.error(
                f"the {name} opened here is not closed before the file ends at line {tokens.line()}", lines.line
            )
        if tokens.token in _CLOSE.values():
            if close is None:
                return tokens.error(f"'{tokens.token}' closes nothing; a block above it is closed once too often")
            return tokens.error(f"the {name} opened at line {lines.line} closes with '{close}', found '{tokens.token}'")
        return tokens.error(f"expected a field of {name}, found {tokens.found()}")

    def field(self, message: Any, lines: Lines, field: _Field) -> None:
        """One field with its value or values."""
        tokens = self.tokens
        line = tokens.line()
        places = lines.fields.setdefault(field.name, [])
        if places and not field.repeated:
            owner = message.DESCRIPTOR.name
            raise tokens.error(f"'{field.name}' is given twice in this {owner}, first at line {places[0].line}")
        tokens.step()
        if field.message_type is not None:
            self.messages(message, places, field, line)
            return
        if tokens.token != ":":
            raise tokens.error(f"expected ':' after '{field.name}', found {tokens.found()}")
        tokens.step()
        if tokens.token == "[":
            self.scalars(message, places, field)
        else:
            places.append(Lines(tokens.file, line))
            value = self.scalar(field)
            if field.repeated:
                getattr(message, field.name).append(value)
            else:
                setattr(message, field.name, value)

    def scalar(self, field: _Field) -> Any:
        return field.read(self.tokens, field.descriptor)  # type: ignore[misc]

    def scalars(self, message: Any, places: list[Lines], field: _Field) -> None:
        """A list of values; where a fork lists values in a field that holds one, the first counts."""
        tokens = self.tokens
        if not field.repeated and field.descriptor.full_name not in _LISTED_BY_FORKS:
            raise tokens.wrong(field.descriptor, "one value", "a list")
        values = []
        for _ in tokens.items():
            places.append(Lines(tokens.file, tokens.line()))
            values.append(self.scalar(field))
        if field.repeated:
            getattr(message, field.name).extend(values)
        elif values:
            setattr(message, field.name, values[0])
            _log.warning("%s: of %d values of %s the first counts", places[0].place(), len(values), field.name)
            del places[1:]

    def messages(self, message: Any, places: list[Lines], field: _Field, line: int) -> None:
        """A block, or a list of blocks."""
        tokens = self.tokens
        if tokens.token == ":":
            tokens.step()
        held = getattr(message, field.name)
        if not field.repeated:
            held.SetInParent()
            self.block(held, places, field, line)
        elif tokens.token == "[":
            for _ in tokens.items():
                self.block(held.add(), places, field, tokens.line())
        else:
            self.block(held.add(), places, field, line)

    def block(self, message: Any, places: list[Lines], field: _Field, line: int) -> None:
        tokens = self.tokens
        close = _CLOSE.get(tokens.token)
        if close is None:
            name = message.DESCRIPTOR.name
            raise tokens.error(f"'{field.name}' is a {name} and opens with '{{', found {tokens.found()}")
        places.append(Lines(tokens.file, line))
        tokens.step()
        self.fields(message, places[-1], close)


def _missing(document: Document) -> PrototxtError:
    """The fault of a message that lacks required fields; of several, the first."""
    *above, name = document.message.FindInitializationErrors()[0].split(".")
    here = document
    for step in above:  # "layer[3]", "clip_param"
        field, _, index = step.rstrip("]").partition("[")
        held = getattr(here.message, field)
        here = Document(held[int(index)] if index else held, here.lines.child(field, int(index or 0)))
    return PrototxtError(f"this {here.message.DESCRIPTOR.name} needs '{name}'", place=here.lines.place())
