"""Where each field of a message stands in its file: a tree beside the message, moved along with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from netcli.errors import Place


@dataclass
class Lines:
    """The place of a message or value: its file, its line, and the same for each of its fields.

    fields: by field name, one entry for each value in the message, in the same order.
    A message that was not read from a text has `Lines()`: no file, and no place to tell.
    """

    file: str | None = None
    line: int | None = None
    fields: dict[str, list[Lines]] = field(default_factory=dict)

    def child(self, name: str, index: int = 0) -> Lines:
        """The lines of value `index` of a field; where it is not in the text, those of the message itself."""
        values = self.fields.get(name, ())
        return values[index] if index < len(values) else Lines(self.file, self.line)

    def place(self, *path: str | int) -> Place | None:
        """The place of the field at `path` (names, and after a repeated one an index), or the nearest above it."""
        here = self
        for step, name in enumerate(path):
            if isinstance(name, str):
                index = path[step + 1] if step + 1 < len(path) and isinstance(path[step + 1], int) else 0
                if name not in here.fields:
                    break
                here = here.child(name, index if isinstance(index, int) else 0)
        return None if here.file is None else Place(here.file, here.line)

    def find(self, field_path: str | None) -> Place | None:
        """The place of "convolution_param.kernel_size", as errors name fields; None is the message itself."""
        return self.place(*(field_path.split(".") if field_path else ()))


@dataclass
class Document:
    """A message and the lines it was read from."""

    message: Any
    lines: Lines = field(default_factory=Lines)

    def children(self, name: str) -> Sequence[Document]:
        """The messages of a repeated field, each with its lines."""
        return [Document(value, self.lines.child(name, i)) for i, value in enumerate(getattr(self.message, name))]
