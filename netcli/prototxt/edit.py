"""Changes of a prototxt's text that leave everything else in it, comments and spaces, as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from netcli.prototxt.tokens import MARK, NAME, tokens_of

OPEN, CLOSE = "{<", "}>"


@dataclass
class Span:
    """A field in a text that `parse` can read: text[start:end] is its name and its value.

    value   where its value begins; of a block that is its brace
    fields  of a block, in their order
    """

    name: str
    start: int
    value: int = 0
    end: int = 0
    fields: list[Span] = field(default_factory=list)

    def named(self, name: str) -> list[Span]:
        """The fields of this name."""
        return [each for each in self.fields if each.name == name]


def spans(text: str) -> list[Span]:
    """The fields of a prototxt, each with its own; of a list in brackets the first value alone is one."""
    top = Span("", 0)
    above = [top]
    last: Span | None = None  # whose value may still go on
    lists = 0
    for kind, begin, end in tokens_of(text):
        token = text[begin:end]
        if kind == NAME and lists == 0 and (last is None or last.value):
            # A name behind a value begins a field, unless it is the value: that has been taken below.
            last = Span(token, begin)
            above[-1].fields.append(last)
        elif kind == MARK and token in OPEN and last is not None and lists == 0:
            last.value = begin
            above.append(last)
            last = None
        elif kind == MARK and token in CLOSE and len(above) > 1 and lists == 0:
            above.pop().end = end
            last = None
        elif kind == MARK and token in "[]":
            lists += 1 if token == "[" else -1
            last = _went_on(last, begin, end)
        elif not (kind == MARK and token in ":,;") and begin != end:
            last = _went_on(last, begin, end)
    return top.fields


def _went_on(last: Span | None, begin: int, end: int) -> Span | None:
    """The value of the last field reaches to here."""
    if last is not None:
        last.value = last.value or begin
        last.end = end
    return last


@dataclass
class Edits:
    """Pieces of a text to be replaced, all at once, by `done`."""

    text: str
    _pieces: list[tuple[int, int, str]] = field(default_factory=list)

    def replace(self, start: int, end: int, new: str) -> None:
        self._pieces.append((start, end, new))

    def rename(self, span: Span, name: str) -> None:
        self.replace(span.start, span.start + len(span.name), name)

    def put(self, span: Span, value: str) -> None:
        """Another value for a field that holds one."""
        self.replace(span.value, span.end, value)

    def remove(self, span: Span) -> None:
        """Take a field out, with its line where it is alone on that."""
        start = self.text.rfind("\n", 0, span.start) + 1
        end = self.text.find("\n", span.end)
        end = len(self.text) if end < 0 else end + 1
        if not self.text[start : span.start].strip() and not self.text[span.end : end].strip():
            self.replace(start, end, "")
        else:
            self.replace(span.start, span.end, "")

    def add_behind(self, span: Span, fields: Sequence[str]) -> None:
        """Put fields behind another one: on lines of their own where that has one, but for a comment."""
        start = self.text.rfind("\n", 0, span.start) + 1
        before, behind = self.text[start : span.start], self.text[span.end :].partition("\n")[0].lstrip()
        apart = " " if before.strip() or (behind and behind[0] != "#") else "\n" + before
        self.replace(span.end, span.end, "".join(apart + each for each in fields))

    def done(self) -> str:
        """The text with all changes; none may overlap."""
        return "".join(self._parts())

    def _parts(self) -> Iterator[str]:
        at = 0
        for start, end, new in sorted(self._pieces):
            yield self.text[at:start]
            yield new
            at = end
        yield self.text[at:]
