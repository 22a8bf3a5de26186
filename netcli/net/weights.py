"""What a caffemodel holds, into a net's layers and out of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.errors import Place, ShapeError, SnapshotError
from netcli.layers.base import Layer
from netcli.net.graph import placed
from netcli.prototxt import schema
from netcli.prototxt.lines import Document
from netcli.snapshots.blobproto import array_of
from netcli.snapshots.caffemodel import Weights


def message_of(net: Any) -> Any:
    """NetParameter with the name and the layers of `net`, without values of parameters: what Caffe stores."""
    message = schema.NetParameter(name=net.name, layer=net.layer)
    for layer in message.layer:
        layer.ClearField("blobs")
    return message


def load(layers: Sequence[Layer], source: Weights) -> list[str]:
    """Copy the parameters of each layer of `source` into the first layer of its name; see Net.load."""
    ours: dict[str, Layer] = {}
    for layer in layers:
        ours.setdefault(layer.name, layer)
    place = Place(source.path)
    # All are compared before the first is changed.
    found = [(ours[theirs.name], theirs) for theirs in source.layers if theirs.name in ours]
    for layer, theirs in found:
        held, wanted = [b.shape for b in theirs.blobs], [b.shape for b in layer.blobs]
        if len(held) != len(wanted):
            raise SnapshotError(
                f"layer '{layer.name}' holds {len(held)} parameters, the net wants {len(wanted)}; "
                "rename the layer to train it afresh",
                place=place,
            )
        for index, (have, want) in enumerate(zip(held, wanted, strict=True)):
            if not fits(have, want):
                which = "" if index == 0 else f" as its parameter {index}"
                raise SnapshotError(
                    f"layer '{layer.name}' holds {have}{which}, the net wants {want}; "
                    "rename the layer to train it afresh",
                    place=place,
                )
    for layer, theirs in found:
        for blob, array in zip(layer.blobs, theirs.blobs, strict=True):
            blob.data[...] = array.reshape(blob.shape)
    return [theirs.name for theirs in source.layers if theirs.name not in ours]


def fits(have: tuple[int, ...], want: tuple[int, ...]) -> bool:
    """Whether a stored shape is the wanted one; old files put 1s before, up to four axes: (1, 1, 10, 500)."""
    return have == want or (len(have) == 4 > len(want) and have == (1,) * (4 - len(want)) + want)


def set_given_blobs(layer: Layer, document: Document) -> None:
    """Set the parameters whose values stand in the layer's own message, as Caffe allows."""
    given = document.message.blobs
    if not given:
        return
    with placed(document):
        if len(given) != len(layer.blobs):
            raise ShapeError(f"has {len(layer.blobs)} parameters and is given {len(given)} blobs", field="blobs")
        for index, (blob, message) in enumerate(zip(layer.blobs, given, strict=True)):
            array = array_of(message.SerializeToString())
            if not fits(array.shape, blob.shape):
                raise ShapeError(f"is given blob {index} of {array.shape}, it takes {blob.shape}", field="blobs")
            blob.data[...] = array.reshape(blob.shape)
