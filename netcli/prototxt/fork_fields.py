"""Settings that public forks of Caffe added to messages of BVLC Caffe's."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from netcli.errors import NetcliError
from netcli.prototxt import schema


def refuse_fork_fields(message: Any, path: str | None, known: Collection[str] = ()) -> None:
    """Raise NetcliError for a fork's field that is given, with another value than its default, and is not `known`.

    Passed over in silence it would change what a net computes.  path: of the message below its layer, such as
    "relu_param"; None: it has none.
    """
    for field, value in message.ListFields():
        fork = schema.origin(message.DESCRIPTOR.name, field.name)
        is_default = field.has_default_value and value == field.default_value
        if fork is not None and field.name not in known and not is_default:
            raise NetcliError(
                f"{field.name}, a field of {fork.replace(', ', ' and ')}, is not in netcli yet",
                field=None if path is None else f"{path}.{field.name}",
            )
