"""Split layers: a top that several layers read is copied, so that each reader has a diff of its own.

The names are Caffe's (insert_splits.cpp), since they stand in caffemodels and logs: a top BLOB, number
IDX of layer LAYER, goes through the layer `BLOB_LAYER_IDX_split` to `BLOB_LAYER_IDX_split_0`, `..._1`, ...
A loss_weight on a top counts as a reader and goes along, to `..._split_0`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netcli.errors import PrototxtError, suggestion
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines


@dataclass
class Top:
    """One version of a blob: what one layer puts into it, until another writes over it in place."""

    name: str
    layer: str
    index: int
    loss_weight: float = 0.0
    readers: int = 0  # layers that have it as a bottom, and the loss
    given: int = 0  # how many of the split's tops have found their reader

    @property
    def split(self) -> str:
        return f"{self.name}_{self.layer}_{self.index}_split"

    def next_copy(self) -> str:
        self.given += 1
        return f"{self.split}_{self.given - 1}"


def insert_splits(document: Document, left_out: Mapping[str, str] | None = None) -> Document:
    """The net with a Split layer after each top that has more than one reader.

    left_out: tops of layers that the state's rules left out, with the layer; named in the message
    where a bottom is missing.
    """
    layers = document.children("layer")
    tops, reads = _readers(layers, left_out or {})
    message = schema.NetParameter()
    message.CopyFrom(document.message)
    del message.layer[:]
    places: list[Lines] = []
    for layer, own, read in zip(layers, tops, reads, strict=True):
        changed = message.layer.add()
        changed.CopyFrom(layer.message)
        places.append(layer.lines)
        for j, top in enumerate(read):
            if top.readers > 1:
                changed.bottom[j] = top.next_copy()
        for top in own:
            if top.readers > 1:
                if top.loss_weight:  # Caffe drops the layer's other weights here too; they are kept instead
                    changed.loss_weight[top.index] = 0
                    top.given = 1
                _fill_split(message.layer.add(), top)
                places.append(Lines(layer.lines.file, layer.lines.line))
    lines = document.lines
    return Document(message, Lines(lines.file, lines.line, {**lines.fields, "layer": places}))


def _readers(layers: Sequence[Document], left_out: Mapping[str, str]) -> tuple[list[list[Top]], list[list[Top]]]:
    """The tops of each layer, with their readers counted, and the tops that each layer's bottoms are."""
    current: dict[str, Top] = {}  # the last version of each blob so far
    tops: list[list[Top]] = []
    reads: list[list[Top]] = []
    for number, layer in enumerate(layers):
        read = []
        for j, name in enumerate(layer.message.bottom):
            if name not in current:
                raise _unknown_bottom(layers, number, j, current, left_out)
            current[name].readers += 1
            read.append(current[name])
        own = [Top(name, layer.message.name, j) for j, name in enumerate(layer.message.top)]
        for top, weight in zip(own, layer.message.loss_weight, strict=False):
            top.loss_weight = weight
            top.readers += weight != 0
        current.update((top.name, top) for top in own)
        reads.append(read)
        tops.append(own)
    return tops, reads


def _fill_split(split: Any, top: Top) -> None:
    split.name, split.type = top.split, "Split"
    split.bottom.append(top.name)
    split.top.extend(f"{top.split}_{k}" for k in range(top.readers))
    if top.loss_weight:
        split.loss_weight.extend([top.loss_weight] + [0.0] * (top.readers - 1))


def _unknown_bottom(
    layers: Sequence[Document], number: int, j: int, current: Mapping[str, Top], left_out: Mapping[str, str]
) -> PrototxtError:
    layer = layers[number]
    name = layer.message.bottom[j]
    later = [other.message.name for other in layers[number:] if name in other.message.top]
    if later and later[0] != layer.message.name:
        why = f"; layer '{later[0]}', which makes it, comes later"
    elif name in left_out:
        why = f"; layer '{left_out[name]}', which makes it, is left out by its include or exclude rules"
    else:
        why = suggestion(name, current)
    fault = PrototxtError(f"no layer before it makes its bottom '{name}'{why}", field="bottom")
    fault.in_layer(layer.message.name, layer.message.type).at(layer.lines.place("bottom", j))
    return fault
