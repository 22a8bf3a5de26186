"""The names that protoc's module of Caffe's caffe.proto has, for the classes that netcli itself works with.

`NetParameter` and every other message, each the class that `netcli.prototxt.schema` has; `Phase` and the other enums
outside of messages, with `Name`, `Value` and so on, and their values (`TRAIN`, `TEST`); `DESCRIPTOR`; and descriptors
under the names they once had, such as `_NETPARAMETER` and `_POOLINGPARAMETER_POOLMETHOD`.  Enums and messages inside of
messages are on their classes: `PoolingParameter.MAX`, `V1LayerParameter.LayerType.Name(4)`.

Departures: what public forks of Caffe added is there too, and the descriptors are not in protobuf's default pool, so
another caffe_pb2 can live in the same process.  Messages can be pickled, as those of protoc's modules can.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from netcli.errors import suggestion
from netcli.prototxt import schema

DESCRIPTOR: Any = schema.NetParameter.DESCRIPTOR.file


def _messages() -> Iterator[tuple[str, Any]]:
    """The name and class of each message outside of others."""
    for name in DESCRIPTOR.message_types_by_name:
        yield name, schema.message_class(name)


def _enums() -> Iterator[tuple[str, Any]]:
    """The name of each enum outside of messages and what wraps it, and the name and number of each of its values."""
    for name, descriptor in DESCRIPTOR.enum_types_by_name.items():
        yield name, EnumTypeWrapper(descriptor)
        for value in descriptor.values:
            yield value.name, value.number


def _descriptors(holder: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """The descriptors of the messages and enums in a file or message, those inside of others too."""
    inside = "message_types_by_name" if holder is DESCRIPTOR else "nested_types_by_name"
    for name, message in getattr(holder, inside).items():
        yield f"{prefix}_{name.upper()}", message
        yield from _descriptors(message, f"{prefix}_{name.upper()}")
    for name, enum in holder.enum_types_by_name.items():
        yield f"{prefix}_{name.upper()}", enum


_public = {**dict(_messages()), **dict(_enums())}
for _, _class in _messages():
    _class.__module__ = __name__  # where pickle finds it
globals().update(_public)
globals().update(_descriptors(DESCRIPTOR, ""))

__all__ = ["DESCRIPTOR", *_public]


def __getattr__(name: str) -> Any:
    raise AttributeError(f"caffe_pb2 has no message or enum '{name}'{suggestion(name, _public)}")
