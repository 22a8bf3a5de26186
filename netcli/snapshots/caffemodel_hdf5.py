"""Caffemodels in HDF5: the values of each parameter as a dataset.

    data/LAYER/0, 1, ...   a group for each layer, also without parameters; one that another layer owns is left out
    diff/LAYER/0, 1, ...   the gradients of all of them, where they are asked for

A name with slashes, such as GoogLeNet's `inception_3a/1x1`, makes groups in groups; Caffe can't write these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from netcli.arrays import hdf5
from netcli.errors import Place, SnapshotError
from netcli.snapshots.atomic import atomic_write
from netcli.snapshots.content import LayerWeights, Parameter, Weights

MOST_LEFT_OUT = 1000  # in a row: no layer has as many parameters, but a damaged name may be any number


def read(path: str) -> Weights:
    """Read a caffemodel in HDF5; raises SnapshotError."""
    weights = Weights(path)
    try:
        with hdf5.reading(path) as file:
            data = file.get("data")
            if not isinstance(data, hdf5.require().Group):
                raise hdf5.Hdf5Error("is an HDF5 file, but no caffemodel: it has no group 'data'")
            weights.layers = list(_layers(data, ""))
    except hdf5.Hdf5Error as fault:
        raise SnapshotError(str(fault), place=Place(path)) from None
    if not weights.layers:
        raise SnapshotError("is not a caffemodel: no layers are in it", place=Place(path))
    return weights


def _layers(group: Any, name: str) -> Iterator[LayerWeights]:
    """The layers in a group, which is the layer `name` itself where it holds datasets or nothing at all."""
    kinds = {key: group.get(key, getclass=True) for key in group}
    inner = [key for key, kind in kinds.items() if issubclass(kind, hdf5.require().Group)]
    own = [key for key in kinds if key not in inner]
    if name and (own or not inner):
        strange = [key for key in own if not (key.isdecimal() and key.isascii())]
        if strange:
            raise hdf5.Hdf5Error(
                f"has in layer '{name}' a dataset '{strange[0]}'; those of a caffemodel are named 0, 1, ..."
            )
        layer = LayerWeights(name)
        for number in sorted(map(int, own)):
            if number >= len(layer.blobs) + MOST_LEFT_OUT:
                raise hdf5.Hdf5Error(f"has in layer '{name}' a dataset '{number}' behind {len(layer.blobs)} others")
            layer.blobs += [None] * (number - len(layer.blobs))
            layer.blobs.append(hdf5.numbers(hdf5.dataset(group, str(number))))
        yield layer
    for key in inner:
        yield from _layers(group[key], f"{name}/{key}" if name else key)


def check_names(message: Any) -> None:
    """Raise SnapshotError where the layers of a NetParameter can't be groups of one file."""
    groups: set[str] = set()
    for layer in message.layer:
        parts = layer.name.split("/")
        if not all(parts) or "." in parts:
            raise SnapshotError(
                f"layer '{layer.name}' can't be stored in HDF5, where slashes part names that are not empty nor '.'; "
                "rename it, or leave snapshot_format to BINARYPROTO"
            )
        groups.update("/".join(parts[:end]) for end in range(1, len(parts) + 1))
    layers = {layer.name for layer in message.layer}
    for name in sorted(groups):
        outer, _, last = name.rpartition("/")
        if outer in layers and last.isdecimal():
            raise SnapshotError(
                f"layer '{name}' can't be stored in HDF5, where it is parameter {last} of layer '{outer}'; "
                "rename it, or leave snapshot_format to BINARYPROTO"
            )


def write(
    path: str,
    message: Any,
    blobs: Sequence[Sequence[Parameter]],
    write_diff: bool,
    shared: Collection[tuple[int, int]],
) -> None:
    """Write a caffemodel in HDF5; the arguments are those of write_weights.  Raises SnapshotError."""
    check_names(message)

    def content(stream: Any) -> None:
        with hdf5.writing(stream) as file:
            for kind in ("data", "diff") if write_diff else ("data",):
                top = file.create_group(kind)
                for number, (layer, own) in enumerate(zip(message.layer, blobs, strict=True)):
                    group = top.require_group(layer.name)
                    for index, blob in enumerate(own):
                        if kind == "diff" or (number, index) not in shared:
                            group[str(index)] = getattr(blob, kind)

    atomic_write(path, content)
