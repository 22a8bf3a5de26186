"""`--set field=value`: fields of a solver changed on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.protobuf import text_format

from netcli.errors import NetcliError, Place, suggestion
from netcli.prototxt.lines import Document, Lines


def set_fields(solver: Document, assignments: Iterable[str]) -> None:
    """Give fields of a SolverParameter other values, each from a "field=value".

    The value is written as in a prototxt, where quotes may be left out; a repeated field takes several,
    separated by commas, in place of those it has.  Lists and messages are taken away by an empty value.
    From then on the field's place is the option's own text.
    Raises NetcliError, its place the option, where a field is not known or does not take the value.
    """
    for assignment in assignments:
        place = Place(f"--set {assignment}")
        name, equals, value = assignment.partition("=")
        name = name.strip()
        if not equals:
            raise NetcliError("is not of the form field=value", place=place)
        fields = solver.message.DESCRIPTOR.fields_by_name
        if name not in fields:
            raise NetcliError(f"a solver has no field '{name}'{suggestion(name, fields)}", place=place)
        removable = fields[name].is_repeated or fields[name].message_type is not None
        if removable and not value.strip():
            solver.message.ClearField(name)
        elif fields[name].message_type is not None:
            raise NetcliError(f"{name} is a message; only numbers, words and names can be set", place=place)
        else:
            _set(solver.message, fields[name], value.strip(), place)
        count = len(getattr(solver.message, name)) if fields[name].is_repeated else 1
        solver.lines.fields[name] = [Lines(place.file)] * count


def _set(message: Any, field: Any, value: str, place: Place) -> None:
    fresh = type(message)()
    for item in [item.strip() for item in value.split(",")] if field.is_repeated else [value]:
        text = item
        if field.type == field.TYPE_STRING and item[:1] not in ("'", '"'):
            text = '"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"'
        one = type(message)()
        try:
            text_format.Parse(f"{field.name}: {text}", one)
        except text_format.ParseError:
            one.Clear()
        values = getattr(one, field.name) if field.is_repeated else [None]
        if [set_field.name for set_field, _ in one.ListFields()] != [field.name] or len(values) != 1:
            raise NetcliError(f"{field.name} is {_kind(field)}, and '{item}' is not", place=place)
        fresh.MergeFrom(one)
    message.ClearField(field.name)
    message.MergeFrom(fresh)


def _kind(field: Any) -> str:
    if field.enum_type is not None:
        return "one of " + ", ".join(value.name for value in field.enum_type.values)
    if field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return "a number"
    if field.cpp_type == field.CPPTYPE_BOOL:
        return "true or false"
    return "a text" if field.cpp_type == field.CPPTYPE_STRING else "a whole number"
