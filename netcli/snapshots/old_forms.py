"""Binary nets and solvers of old forms brought to today's, as Caffe's upgrade_net_proto_binary.

The values of parameters are not looked at, nor copied: while layers are upgraded a mark stands for each of them, and
they are written where the marks have come to be.
"""

from __future__ import annotations

from typing import Any

from google.protobuf.message import DecodeError

from netcli.errors import Place, SnapshotError
from netcli.prototxt import schema, upgrade_net, upgrade_solver
from netcli.prototxt.lines import Document
from netcli.snapshots import wire
from netcli.snapshots.blobproto import check_size
from netcli.snapshots.caffemodel import BLOBS, LAYER, LAYERS
from netcli.snapshots.content import WITHOUT_LIMIT
from netcli.snapshots.solverstate import ITER

V1_BLOBS, V1_TYPE, V0_LAYER, V0_BLOBS = 6, 5, 1, 50
MARK = 1  # the field of BlobProto (num) that holds a mark's number
BASE_LR, SOLVER_NET = 5, 24  # in SolverParameter

Parts = list[bytes | memoryview]


def kind_of_binary(path: str, content: memoryview) -> str:
    """ "net" or "solver"; raises SnapshotError for anything else."""
    try:
        found = {(number, kind) for number, kind, _ in wire.fields(content)}
    except wire.WireError as fault:
        if isinstance(fault, wire.TruncatedError) and fault.number in (LAYER, LAYERS):
            raise SnapshotError("is no whole net: the file ends too soon", place=Place(path)) from None
        raise SnapshotError(f"is neither a net nor a solver, or damaged: {fault}", place=Place(path)) from None
    if (LAYER, wire.BYTES) in found:
        return "net"
    if {(BASE_LR, wire.FIXED32), (SOLVER_NET, wire.BYTES)} & found:
        return "solver"
    if (LAYERS, wire.BYTES) in found and (ITER, wire.VARINT) not in found:  # a solver state has a path there
        return "net"
    raise SnapshotError("is neither a binary net nor a binary solver", place=Place(path))


def upgraded_solver(path: str, content: memoryview) -> Parts | None:
    """A binary solver in today's form; None where nothing in it is old.  Raises SnapshotError."""
    message = _parsed(path, schema.SolverParameter, content)
    upgraded = upgrade_solver(Document(message), tell=False).message
    return None if upgraded == message else [upgraded.SerializeToString()]


def upgraded_net(path: str, content: memoryview) -> Parts | None:
    """A binary net, such as a caffemodel, in today's form; None where nothing in it is old.

    Raises SnapshotError where it can't be read or upgraded, or would be more than a binary file can hold.
    """
    values: list[memoryview] = []
    try:
        marked = _marked(content, values)
    except wire.WireError as fault:
        raise SnapshotError(f"is not a whole caffemodel: {fault}", place=Place(path)) from None
    message = _parsed(path, schema.NetParameter, marked)
    for layer in message.layers:
        if not layer.HasField("type") and not layer.HasField("layer"):
            raise SnapshotError(
                f"layer '{layer.name}' is of a type that only a fork knows, which has no name today", place=Place(path)
            )
    upgraded = upgrade_net(Document(message), tell=False).message
    if upgraded == message:
        return None
    parts = _with_values(upgraded, values)
    check_size(path, sum(map(len, parts)), "caffemodel", WITHOUT_LIMIT)
    return parts


def _parsed(path: str, message_class: Any, content: bytes | memoryview) -> Any:
    try:
        return message_class.FromString(bytes(content))
    except DecodeError:
        raise SnapshotError(
            f"is no {message_class.DESCRIPTOR.name}, or one of a fork whose fields have other meanings",
            place=Place(path),
        ) from None


def _marked(content: memoryview, values: list[memoryview]) -> bytes:
    """A net with marks in place of the values, which are added to a list."""
    parts = bytearray()
    for number, kind, value in wire.fields(content):
        if number == LAYER and kind == wire.BYTES:
            _put(parts, number, kind, _marked_layer(value, BLOBS, values))
        elif number == LAYERS and kind == wire.BYTES:
            _put(parts, number, kind, _marked_layer(value, V1_BLOBS, values))
        else:
            _put(parts, number, kind, value)
    return bytes(parts)


def _marked_layer(layer: memoryview, blobs: int, values: list[memoryview]) -> bytes:
    parts = bytearray()
    for number, kind, value in wire.fields(layer):
        if number == blobs and kind == wire.BYTES:
            values.append(value)
            mark = wire.put_tag(MARK, wire.VARINT) + wire.put_varint(len(values) - 1)
            _put(parts, number, kind, mark)
        elif blobs == V1_BLOBS and number == V0_LAYER and kind == wire.BYTES:
            _put(parts, number, kind, _marked_layer(value, V0_BLOBS, values))
        else:
            _put(parts, number, kind, value)
    return bytes(parts)


def _put(parts: bytearray, number: int, kind: int, value: bytes | memoryview) -> None:
    parts += wire.put_bytes(number, len(value)) if kind == wire.BYTES else wire.put_tag(number, kind)
    parts += value


def _with_values(message: Any, values: list[memoryview]) -> Parts:
    """The bytes of a net whose layers have marks, with the values in their place."""
    rest = type(message)()
    rest.CopyFrom(message)
    rest.ClearField("layer")
    parts: Parts = [rest.SerializeToString()]
    for layer in message.layer:
        own = [values[blob.num] for blob in layer.blobs]
        layer.ClearField("blobs")
        head = layer.SerializeToString()
        starts = [wire.put_bytes(BLOBS, len(value)) for value in own]
        size = len(head) + sum(len(start) + len(value) for start, value in zip(starts, own, strict=True))
        parts += [wire.put_bytes(LAYER, size), head]
        for start, value in zip(starts, own, strict=True):
            parts += [start, value]
    return parts
