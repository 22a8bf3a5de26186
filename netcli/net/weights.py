"""What a caffemodel holds, into a net's layers and out of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from netcli.blob import Blob
from netcli.errors import Place, ShapeError, SnapshotError
from netcli.layers.base import Layer
from netcli.net.graph import placed
from netcli.net.sharing import Parameter
from netcli.prototxt import schema
from netcli.prototxt.lines import Document
from netcli.snapshots.blobproto import array_of
from netcli.snapshots.content import LayerWeights, Weights


class Stored:
    """A parameter as a file wants it: with NumPy's arrays, wherever its own are."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob

    @property
    def data(self) -> Any:
        return self._blob.host_data()

    @property
    def diff(self) -> Any:
        return self._blob.host_diff()


def message_of(net: Any) -> Any:
    """NetParameter with the name and the layers of `net`, without values of parameters: what Caffe stores."""
    message = schema.NetParameter(name=net.name, layer=net.layer)
    for layer in message.layer:
        layer.ClearField("blobs")
    return message


def not_owned(layers: Sequence[Layer], owned: Sequence[Parameter]) -> set[tuple[int, int]]:
    """(layer, parameter), by their numbers, that look at another layer's."""
    names = {(parameter.layer, parameter.index) for parameter in owned}
    return {
        (number, index)
        for number, layer in enumerate(layers)
        for index in range(len(layer.blobs))
        if (layer.name, index) not in names
    }


def load(layers: Sequence[Layer], source: Weights, shared: Collection[tuple[int, int]]) -> list[str]:
    """Copy the parameters of each layer of `source` into the first layer of its name; see Net.load.

    shared: (layer, parameter), by their numbers, that other layers own; they may be left out.
    """
    ours: dict[str, int] = {}
    for number, layer in enumerate(layers):
        ours.setdefault(layer.name, number)
    # All are compared before the first is changed.
    found = []
    for theirs in source.layers:
        if theirs.name in ours:
            number = ours[theirs.name]
            optional = {index for at, index in shared if at == number}
            _compare(layers[number], theirs, optional, Place(source.path))
            found.append((layers[number], theirs))
    for layer, theirs in found:
        for blob, array in zip(layer.blobs, theirs.blobs, strict=False):
            if array is not None:
                blob.set_data(array.reshape(blob.shape))
    return [theirs.name for theirs in source.layers if theirs.name not in ours]


def _compare(layer: Layer, theirs: LayerWeights, optional: Collection[int], place: Place) -> None:
    """Raise SnapshotError where stored parameters are not those of a layer, but for `optional` ones left out."""
    held = [None if blob is None else blob.shape for blob in theirs.blobs]
    held += [None] * (len(layer.blobs) - len(held))
    absent = [index for index, have in enumerate(held) if have is None and index not in optional]
    if absent or len(held) != len(layer.blobs):
        count = sum(blob is not None for blob in theirs.blobs)
        raise SnapshotError(
            f"layer '{layer.name}' holds {count} parameters, the net wants {len(layer.blobs)}; "
            "rename the layer to train it afresh",
            place=place,
        )
    for index, (have, blob) in enumerate(zip(held, layer.blobs, strict=True)):
        if have is not None and not fits(have, blob.shape):
            which = "" if index == 0 else f" as its parameter {index}"
            raise SnapshotError(
                f"layer '{layer.name}' holds {have}{which}, the net wants {blob.shape}; "
                "rename the layer to train it afresh",
                place=place,
            )


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
            blob.set_data(array.reshape(blob.shape))
