"""What may have been meant by a field or value that the schema does not have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.descriptor import Descriptor

from netcli.errors import suggestion
from netcli.prototxt.upgrade.v1 import PARAMS

FEW_VALUES = 8  # an enum of more is not listed
FEW_FIELDS = 3


def unknown_field(name: str, opened: Sequence[tuple[Descriptor, int]]) -> str:
    """The fault of a field that the last of the messages we are in, each with the line it is opened at, does not have.

    It may belong to a message around this one, or to one inside of it; else the nearest name is told.
    """
    here, line = opened[-1]
    fault = f"{here.name} has no field '{name}'"
    for around, _ in reversed(opened[:-1]):
        if name in around.fields_by_name:
            return f"{fault}, {around.name} has; is the block opened at line {line} not closed?"
    if here.name == "LayerParameter" and name in PARAMS:
        return f"{fault}; that is the old form of param {{ {PARAMS[name]} }}"
    near = suggestion(name, here.fields_by_name)
    inside = [each.name for each in here.fields if each.message_type and name in each.message_type.fields_by_name]
    if not inside or name.lower() in near:
        return fault + near
    listed = ", ".join(inside) if len(inside) <= FEW_FIELDS else f"{', '.join(inside[:FEW_FIELDS])} ..."
    return f"{fault}; it belongs in {listed}"


def unknown_value(field: str, enum: Any, found: str, *, quoted: bool) -> str:
    """The fault of a value that an enum field does not have; `found` is as it stands in the text."""
    names = [value.name for value in enum.values]
    fault = f"{field} takes a name without quotes, found {found}" if quoted else f"{field} has no value {found}"
    near = suggestion(found.strip("\"'"), names)
    if not near and len(names) <= FEW_VALUES:
        return f"{fault}; it is one of {', '.join(names)}"
    return fault + near
