"""The message classes of proto/caffe.proto, made from its descriptor set in a pool of their own.

`schema.NetParameter` is the class of message NetParameter; enum values stand on the message that has them
(`schema.PoolingParameter.MAX`), or, for TRAIN and TEST, here.  No generated code ties netcli to one protobuf release,
and another caffe.proto in the same process does not clash.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "caffe"

_pool = descriptor_pool.DescriptorPool()
_file = descriptor_pb2.FileDescriptorSet.FromString(
    resources.files("netcli.prototxt").joinpath("caffe.desc").read_bytes()
).file[0]
_pool.Add(_file)

TRAIN: int
TEST: int
TRAIN, TEST = (_pool.FindEnumTypeByName(f"{PACKAGE}.Phase").values_by_name[name].number for name in ("TRAIN", "TEST"))


def message_class(name: str) -> Any:
    """The class of the message `name` of package caffe; raises KeyError."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{PACKAGE}.{name}"))


def message_names() -> list[str]:
    """The names of all messages, as they stand in proto/caffe.proto; nested ones are not among them."""
    return [message.name for message in _file.message_type]


def origin(message: str, field: str | None = None) -> str | None:
    """The fork of Caffe that a message or field is from, such as "SSD" or "SegNet, TSN"; None if it is BVLC Caffe's or
    netcli's.  Raises KeyError for a name that is not there.

    A field is from the fork that its own comment in proto/caffe.proto names, or its message's, or its type's.
    """
    descriptor = _pool.FindMessageTypeByName(f"{PACKAGE}.{message}")
    forks = _forks()
    if field is None:
        return forks.get(message)
    type_of_field = descriptor.fields_by_name[field].message_type
    type_name = type_of_field.full_name.removeprefix(f"{PACKAGE}.") if type_of_field is not None else ""
    return forks.get(f"{message}.{field}") or forks.get(message) or forks.get(type_name)


@functools.cache
def _forks() -> dict[str, str]:
    """The fork of each message or field that has one in the descriptor set; names without the package."""
    return {
        name: location.leading_comments
        for location in _file.source_code_info.location
        if (name := _name(location.path)) is not None
    }


def _name(path: Sequence[int]) -> str | None:
    """The name of what is at `path` of the descriptor set: numbers of fields and, after each, an index.

    None if it is neither a message nor a field of one.
    """
    at: Any = _file
    names = []
    for number, index in zip(path[::2], path[1::2], strict=True):
        kind = at.DESCRIPTOR.fields_by_number[number].name
        if kind not in ("message_type", "nested_type", "field"):
            return None
        at = getattr(at, kind)[index]
        names.append(at.name)
    return ".".join(names)


def __getattr__(name: str) -> Any:
    try:
        return message_class(name)
    except KeyError:
        raise AttributeError(f"caffe.proto has no message {name}") from None
