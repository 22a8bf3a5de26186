"""Where each field of a message stands in its file: a tree beside the message, moved along with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message_factory import GetMessageClass

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
        return values[index] if index < len(values) else self.here()

    def here(self) -> Lines:
        """This place, for a value that was not in the text but came from what stands here."""
        return Lines(self.file, self.line)

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

    def copy(self) -> Lines:
        """The same tree, to be changed without changing this one."""
        return Lines(
            self.file, self.line, {name: [each.copy() for each in values] for name, values in self.fields.items()}
        )


@dataclass
class Document:
    """A message and the lines it was read from.

    `put`, `add`, `sub`, `drop` and `move` change both together, so that every value keeps its place in the file.
    """

    message: Any
    lines: Lines = field(default_factory=Lines)

    def children(self, name: str) -> Sequence[Document]:
        """The messages of a repeated field, each with its lines."""
        return [Document(value, self.lines.child(name, i)) for i, value in enumerate(getattr(self.message, name))]

    def copy(self) -> Document:
        """The same message and lines, to be changed without changing these."""
        message = type(self.message)()
        message.CopyFrom(self.message)
        return Document(message, self.lines.copy())

    def put(self, name: str, value: Any, lines: Lines) -> None:
        """Set a field of scalar type, or append to a repeated one; `lines` is where the value comes from."""
        if self.message.DESCRIPTOR.fields_by_name[name].is_repeated:
            getattr(self.message, name).append(value)
            self.lines.fields.setdefault(name, []).append(lines)
        else:
            setattr(self.message, name, value)
            self.lines.fields[name] = [lines]

    def replace(self, name: str, index: int, value: Any, lines: Lines) -> None:
        """Set one value of a repeated field."""
        getattr(self.message, name)[index] = value
        if name in self.lines.fields:
            self.lines.fields[name][index] = lines

    def add(self, name: str, lines: Lines) -> Document:
        """Append an empty message to a repeated field; it stands where `lines` does."""
        places = self.lines.fields.setdefault(name, [])
        places.append(lines.here())
        return Document(getattr(self.message, name).add(), places[-1])

    def sub(self, name: str, lines: Lines | None = None) -> Document:
        """The message of a field; if there is none yet, one is made where `lines` or this message stands."""
        held = getattr(self.message, name)
        held.SetInParent()
        return Document(held, self.lines.fields.setdefault(name, [(lines or self.lines).here()])[0])

    def add_first(self, name: str, lines: Lines) -> Document:
        """Put an empty message before those of a repeated field; it stands where `lines` does."""
        held = getattr(self.message, name)
        held.insert(0, GetMessageClass(self.message.DESCRIPTOR.fields_by_name[name].message_type)())
        places = self.lines.fields.setdefault(name, [])
        places.insert(0, lines.here())
        return Document(held[0], places[0])

    def drop(self, name: str) -> None:
        """Clear a field."""
        self.message.ClearField(name)
        self.lines.fields.pop(name, None)

    def remove(self, name: str, index: int) -> None:
        """Take one value out of a repeated field."""
        del getattr(self.message, name)[index]
        if name in self.lines.fields:
            del self.lines.fields[name][index]

    def move(self, name: str, target: Document, target_name: str | None = None) -> None:
        """Move all that a field holds to a field of another message, by default of the same name.

        A repeated field takes the values behind its own; any other is replaced.  Both hold the same type; an enum
        may be another one with the same names.
        """
        field = self.message.DESCRIPTOR.fields_by_name[name]
        into = target.message.DESCRIPTOR.fields_by_name[target_name or name]
        held = getattr(self.message, name)
        if field.message_type is None:
            for index, value in enumerate(held if field.is_repeated else [held]):
                if field.enum_type is not None:
                    value = into.enum_type.values_by_name[field.enum_type.values_by_number[value].name].number
                target.put(into.name, value, self.lines.child(name, index))
        elif into.is_repeated:
            getattr(target.message, into.name).MergeFrom(held)
            target.lines.fields.setdefault(into.name, []).extend(self.lines.fields.get(name, ()))
        else:
            getattr(target.message, into.name).CopyFrom(held)
            target.lines.fields[into.name] = [self.lines.child(name)]
        self.drop(name)
