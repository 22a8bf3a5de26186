"""What was meant by a field or value that the schema does not have."""

from __future__ import annotations

import re
from collections.abc import Sequence

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from netcli.errors import suggestion

MANY = 8  # enum values are listed up to so many


def unknown_field(name: str, opened: Sequence[tuple[Descriptor, int]]) -> str:
    """What to say of a field that the innermost of the messages in `opened` (with the line of each) does not have."""
    descriptor, line = opened[-1]
    said = f"{descriptor.name} has no field '{name}'"
    for above, _ in reversed(opened[:-1]):
        if name in above.fields_by_name:
            return f"{said}; it is one of {above.name}'s: is the '{{' of line {line} left open?"
    inside = [
        field.name for field in descriptor.fields if field.message_type and name in field.message_type.fields_by_name
    ]
    near = suggestion(name, descriptor.fields_by_name)
    if inside and not _same_letters(name, near):
        return f"{said}; it stands in {_listed(inside)}"
    return said + near


def unknown_value(field: FieldDescriptor, found: str) -> str:
    """What to say of a value that an enum field does not have; `found` is as it stands in the text."""
    owner = f"{field.containing_type.name}.{field.name}"
    names = [value.name for value in field.enum_type.values]
    near = suggestion(re.sub(r"[\"']", "", found), names)
    quoted = " without quotes" if found[:1] in "\"'" else ""
    if len(names) <= MANY:
        return f"{owner} takes one of {', '.join(names)}{quoted}, found {found}{near}"
    return f"{owner} takes a name of its {len(names)} values{quoted}, found {found}{near}"


def _same_letters(name: str, near: str) -> bool:
    """Whether a suggestion differs in case and underscores alone."""
    return bool(near) and re.sub("_", "", name).lower() in re.sub("_", "", near).lower()


def _listed(names: Sequence[str]) -> str:
    if len(names) <= 3:
        return " or ".join(names)
    return f"{', '.join(names[:3])} or {len(names) - 3} others"
