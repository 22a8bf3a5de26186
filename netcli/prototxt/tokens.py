"""Prototxt text as tokens that know their line."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from google.protobuf.descriptor import FieldDescriptor

from netcli.errors import Place, PrototxtError

# Blanks and comments, then one token.  One of the groups always matches, so nothing is ever tried twice.
_TOKEN = re.compile(
    r"""(?: \s | \#[^\n]*(?:\n|\Z) )*
    (?: ([A-Za-z_]\w*)                                              # 1 name
      | ( (?:\d|\.\d) (?: [eE][-+](?=\d) | [\w.] )* )               # 2 number, to be looked at when its type is known
      | ( "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' )               # 3 string
      | ( [][{}<>:,;-] )                                            # 4 mark
      | ( \Z | . )                                                  # 5 the end, or what can't be
    )""",
    re.VERBOSE | re.ASCII,
)
NAME, NUMBER, STRING, MARK, OTHER = 1, 2, 3, 4, 5
SHOWN = 60  # characters of a token that a message shows


class Tokens:
    """The tokens of a text, one at a time.

    kind, token: the token that is not yet used; "" at the end of the text.
    """

    def __init__(self, text: str, file: str | None) -> None:
        self.file = file
        self._newlines = [found.start() for found in re.finditer("\n", text)]
        self._tokens = _TOKEN.finditer(text)
        self.token = ""
        self.step()

    def step(self) -> str:
        """Move on to the next token; returns the one just used."""
        used = self.token
        self._found = next(self._tokens)
        self.kind: int = self._found.lastindex or OTHER
        self.token = self._found[self.kind]
        return used

    @property
    def ended(self) -> bool:
        return not self.token

    def line(self) -> int:
        """The line of the token, from 1."""
        return bisect_left(self._newlines, self._found.start(self.kind)) + 1

    def items(self) -> Iterator[None]:
        """The items of a list in brackets; whoever iterates uses up the tokens of each."""
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

    def error(self, message: str, line: int | None = None) -> PrototxtError:
        """A fault at the token, or at another line."""
        return PrototxtError(message, place=Place(self.file or "<text>", line or self.line()))

    def wrong(self, field: FieldDescriptor, wanted: str, found: str | None = None) -> PrototxtError:
        """A fault of a field's value: what is wanted, and what is found, by default the token."""
        return self.error(f"{name_of(field)} takes {wanted}, found {found or self.found()}")

    def found(self) -> str:
        """The token as messages show it."""
        if self.ended:
            return "the end of the file"
        if self.kind in (NAME, NUMBER, STRING):
            token = self.token if len(self.token) <= SHOWN else f"{self.token[:SHOWN]}..."
            return token.encode("utf-8", "backslashreplace").decode()  # bytes that are not UTF-8 can't be printed
        if self.token in "\"'":
            return f"a string without its closing {self.token}"
        return f"'{self.token}'" if self.token.isprintable() else f"the character {self.token!a}"


def name_of(field: FieldDescriptor) -> str:
    """`PoolingParameter.pool`: a field in messages."""
    owner = field.containing_type
    return f"{owner.name}.{field.name}" if owner is not None else field.name


def tokens_of(text: str) -> Iterator[tuple[int, int, int]]:
    """Kind, begin and end of each token of a text that can be read."""
    for found in _TOKEN.finditer(text):
        kind = found.lastindex or OTHER
        yield kind, *found.span(kind)


def top_fields(text: str) -> Iterator[tuple[str, int]]:
    """The names that stand as fields outside all braces, with their lines; faults of the text are passed over."""
    depth, line, counted = 0, 1, 0
    value = False  # whether what comes is the value of a field
    for found in _TOKEN.finditer(text):
        kind = found.lastindex or OTHER
        token = found[kind]
        if kind == MARK:
            depth = max(0, depth + (token in "{<[") - (token in "}>]"))
            value = token == ":" or (value and token == "-")
            continue
        if kind == NAME and depth == 0 and not value:
            at = found.start(kind)
            line, counted = line + text.count("\n", counted, at), at
            yield token, line
        value = False
