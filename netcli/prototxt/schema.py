"""The message classes of proto/caffe.proto, made from its descriptor set in a pool of their own.

No generated code ties netcli to one protobuf release, and another caffe.proto in the same process does not clash.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_pool = descriptor_pool.DescriptorPool()
_files = descriptor_pb2.FileDescriptorSet.FromString(
    resources.files("netcli.prototxt").joinpath("caffe.desc").read_bytes()
)
for _file in _files.file:
    _pool.Add(_file)


def message_class(name: str) -> Any:
    """The class of the message `name` of package caffe; raises KeyError."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"caffe.{name}"))


def __getattr__(name: str) -> Any:
    try:
        return message_class(name)
    except KeyError:
        raise AttributeError(name) from None
