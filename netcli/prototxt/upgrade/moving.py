"""Fields moved from one message to another, together with their lines."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Field

from netcli.prototxt.lines import Document, Lines


def is_set(message: Any, name: str) -> bool:
    """Whether a field has a value, or a repeated one any."""
    if message.DESCRIPTOR.fields_by_name[name].is_repeated:
        return len(getattr(message, name)) > 0
    return bool(message.HasField(name))


def inside(document: Document, name: str) -> Document:
    """The message in a singular field, made where it is not there yet, with its lines."""
    message = getattr(document.message, name)
    message.SetInParent()
    lines = document.lines.fields.setdefault(name, [Lines(document.lines.file, document.lines.line)])
    return Document(message, lines[0])


def add(document: Document, name: str, lines: Lines) -> Document:
    """A new message at the end of a repeated field, which stands at `lines`."""
    message = getattr(document.message, name).add()
    document.lines.fields.setdefault(name, []).append(lines)
    return Document(message, lines)


def move(source: Document, name: str, target: Document, new_name: str | None = None) -> None:
    """Move a field, if it is set, to `target` under a new name.

    Values are added behind those that are there where the new field is repeated, whether the old one was or not.
    """
    if not is_set(source.message, name):
        return
    new_name = new_name or name
    value = getattr(source.message, name)
    field = target.message.DESCRIPTOR.fields_by_name[new_name]
    values = list(value) if source.message.DESCRIPTOR.fields_by_name[name].is_repeated else [value]
    is_message = field.cpp_type == Field.CPPTYPE_MESSAGE
    if field.is_repeated:
        getattr(target.message, new_name).extend(values)
    elif is_message:
        getattr(target.message, new_name).CopyFrom(value)
    else:
        setattr(target.message, new_name, value)
    moved = source.lines.fields.pop(name, [])
    target.lines.fields.setdefault(new_name, []).extend(moved)
    source.message.ClearField(name)
