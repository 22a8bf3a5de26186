"""Caffemodels: a NetParameter in binary, each layer with its parameters' values.

Read tolerantly: of each layer only its name, its type and its blobs, in the three forms that Caffe has had,

    layer = 100    LayerParameter    name = 1  type = 2            blobs = 7
    layers = 2     V1LayerParameter  name = 4  type = 5 (a number) blobs = 6
                   V0: the same, its layer = 1 V0LayerParameter  name = 1  type = 2  blobs = 50

so that a file of a fork whose other fields clash with ours is read all the same.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Sequence
from typing import Any, BinaryIO

from netcli.arrays.hdf5 import SIGNATURE
from netcli.errors import Place, SnapshotError
from netcli.prototxt import schema
from netcli.snapshots import caffemodel_hdf5, wire
from netcli.snapshots.atomic import atomic_write
from netcli.snapshots.blobproto import Encoded, array_of, begins_with, check_size, read_file
from netcli.snapshots.content import WITHOUT_LIMIT, LayerWeights, Parameter, Weights

NAME, LAYERS, LAYER = 1, 2, 100  # in NetParameter
BLOBS = 7  # in LayerParameter
V0_PADDING = "padding"
STATE_BEGINS = [(1, wire.VARINT), (2, wire.BYTES)]  # iter and learned_net of a SolverState
HDF5_END = ".h5"

# What the numbers mean in a layer, by the number of the layer's own field in NetParameter.
_LAYER_FIELDS = {
    LAYER: {1: "name", 2: "type", BLOBS: "blob"},
    LAYERS: {4: "name", 5: "type", 6: "blob", 1: "v0"},
}
_V0_FIELDS = {1: "name", 2: "type", 50: "blob"}


def read_weights(path: str) -> Weights:
    """Read a caffemodel, binary or HDF5 by its first bytes.

    Raises SnapshotError where the file is missing, of another kind, cut off or damaged.
    """
    if begins_with(path, SIGNATURE):
        return caffemodel_hdf5.read(path)
    content = read_file(path, "caffemodel", WITHOUT_LIMIT)
    weights = Weights(path)
    try:
        for number, kind, value in wire.fields(content):
            if kind == wire.BYTES and number == NAME:
                weights.name = _text(value)
            elif kind == wire.BYTES and number in _LAYER_FIELDS:
                layer = LayerWeights()
                try:
                    _read_layer(value, _LAYER_FIELDS[number], layer)
                except wire.WireError as fault:
                    if not (layer.name or weights.layers):
                        raise wire.WireError from None
                    raise SnapshotError(f"is damaged in layer '{layer.name}': {fault}", place=Place(path)) from None
                if (number, layer.type) != (LAYERS, V0_PADDING):  # the layer above pads in its place
                    weights.layers.append(layer)
    except wire.WireError as fault:
        raise SnapshotError(_fault_sentence(content, weights, fault), place=Place(path)) from None
    if not weights.layers:
        raise SnapshotError(_other_kind(content), place=Place(path))
    return weights


def _read_layer(message: memoryview, meanings: dict[int, str], layer: LayerWeights) -> None:
    for number, kind, value in wire.fields(message):
        meaning = meanings.get(number)
        if meaning == "type" and kind == wire.VARINT:
            layer.type = _v1_type(wire.varint(value))
        elif kind != wire.BYTES:
            continue
        elif meaning == "name":
            layer.name = _text(value)
        elif meaning == "type":
            layer.type = _text(value)
        elif meaning == "blob":
            layer.blobs.append(array_of(value))
        elif meaning == "v0":
            _read_layer(value, _V0_FIELDS, layer)


def _v1_type(number: int) -> str:
    value = schema.V1LayerParameter.LayerType.DESCRIPTOR.values_by_number.get(number)
    return str(number) if value is None else str(value.name)


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8", "replace")


def _fault_sentence(content: memoryview, weights: Weights, fault: wire.WireError) -> str:
    cut = fault if isinstance(fault, wire.TruncatedError) else None
    layer = LayerWeights()
    if cut is not None and cut.number in _LAYER_FIELDS:
        with contextlib.suppress(wire.WireError):  # what there is of the layer ends somewhere, too
            _read_layer(cut.rest, _LAYER_FIELDS[cut.number], layer)
    if layer.name:
        return f"the file ends in the middle of layer '{layer.name}'"
    if not weights.layers:
        return _other_kind(content)
    what = "the file ends too soon" if cut is not None else "the file is damaged"
    return f"{what}, behind layer '{weights.layers[-1].name}'"


def _other_kind(content: memoryview) -> str:
    start = bytes(content[:1024])
    if all(byte >= 0x20 or byte in b"\t\n\r" for byte in start):
        return "is a text, not a binary caffemodel"
    with contextlib.suppress(wire.WireError):
        if [(number, kind) for number, kind, _ in itertools.islice(wire.fields(content), 2)] == STATE_BEGINS:
            return "is not a caffemodel; is it a solver state?"
    return "is not a caffemodel: no layers are in it"


def write_weights(
    path: str,
    message: Any,
    blobs: Sequence[Sequence[Parameter]],
    write_diff: bool = False,
    shared: Collection[tuple[int, int]] = (),
    hdf5: bool | None = None,
) -> None:
    """Write a caffemodel; raises SnapshotError.

    message  NetParameter: the name, and each layer without its blobs
    blobs    the parameters of each layer of the message; write_diff: with their gradients
    shared   (layer, parameter), by their numbers, that other layers own; an HDF5 file has their values only there
    hdf5     in HDF5 or binary; None: in HDF5 where the path ends with .h5
    """
    if path.endswith(HDF5_END) if hdf5 is None else hdf5:
        return caffemodel_hdf5.write(path, message, blobs, write_diff, shared)
    parts = _parts(message, blobs, write_diff)
    _check_size(path, parts)

    def write(stream: BinaryIO) -> None:
        for part in parts:
            if isinstance(part, Encoded):
                part.write(stream)
            else:
                stream.write(part)

    atomic_write(path, write)
    return None


def check_weights(
    path: str, message: Any, blobs: Sequence[Sequence[Parameter]], write_diff: bool = False, hdf5: bool | None = None
) -> None:
    """Raise SnapshotError where write_weights would refuse to write these, whatever their values."""
    if path.endswith(HDF5_END) if hdf5 is None else hdf5:
        caffemodel_hdf5.check_names(message)
    else:
        _check_size(path, _parts(message, blobs, write_diff))


def _parts(message: Any, blobs: Sequence[Sequence[Parameter]], write_diff: bool) -> list[bytes | Encoded]:
    """What a binary caffemodel is made of, in turn."""
    parts: list[bytes | Encoded] = [_bytes_field(NAME, message.name.encode())] if message.name else []
    for layer, own in zip(message.layer, blobs, strict=True):
        head = layer.SerializeToString()
        encoded = [Encoded(blob.data, blob.diff if write_diff else None) for blob in own]
        starts = [wire.put_bytes(BLOBS, blob.size) for blob in encoded]
        size = len(head) + sum(len(start) + blob.size for start, blob in zip(starts, encoded, strict=True))
        parts += [wire.put_bytes(LAYER, size), head]
        for start, blob in zip(starts, encoded, strict=True):
            parts += [start, blob]
    return parts


def _check_size(path: str, parts: Sequence[bytes | Encoded]) -> None:
    size = sum(part.size if isinstance(part, Encoded) else len(part) for part in parts)
    check_size(path, size, "caffemodel", WITHOUT_LIMIT)


def _bytes_field(number: int, value: bytes) -> bytes:
    return wire.put_bytes(number, len(value)) + value
