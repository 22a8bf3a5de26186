"""The records of a net's data layer as the net sees them in training: for a look, or for a database."""

from __future__ import annotations

import threading
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from netcli.arrays.layout import size_text
from netcli.arrays.ops import Ops
from netcli.errors import DataError, NetcliError, ShapeError
from netcli.layers.batches import BatchLayer
from netcli.layers.registry import layer_types
from netcli.net import Net
from netcli.net.rules import net_state, select_layers
from netcli.prototxt.lines import Document, Lines
from netcli.training.choices import Choice


class Sample(NamedTuple):
    """image: (C, H, W) uint8    label: its class    words: what was done to it"""

    image: Any
    label: int
    words: str


class AugmentedRecords:
    """The data layer of a net, whose records are changed as often as one likes.

    Copy k of a record is what its transform_param makes of it in epoch k: the draws are keyed by seed, layer, phase,
    copy and record, so that they depend on nothing else.
    Raises NetcliError for a net without a layer that reads images (Data, ImageData), or with several.
    """

    def __init__(self, choice: Choice, *, seed: int, name: str | None = None) -> None:
        document = choice.document
        state = net_state(document.message, choice.phase, choice.level, choice.stages)
        layer = _data_layer(select_layers(document, state), name)
        message = type(document.message)(name=document.message.name, layer=[layer.message], state=state)
        lines = Lines(document.lines.file, document.lines.line, {"layer": [layer.lines]})
        self._net = Net(Document(message, lines), choice.phase, ops=Ops("plain"), seed=seed, gradients=False, dry=True)
        found = self._net.layers[0]
        assert isinstance(found, BatchLayer)
        self.layer = found
        self.lines = layer.lines
        self._reading = threading.Lock()

    def __len__(self) -> int:
        return len(self.layer.source)

    def original(self, number: int) -> Sample:
        """A record as it is stored; raises DataError."""
        source = self.layer.source
        image, label = source.decode(self._fetched(number), None)
        self._check(image, number)
        return Sample(image, label, source.name(0, number))

    def copy(self, number: int, copy: int) -> Sample:
        """Copy `copy` of a record, from any thread; raises DataError, which names it."""
        transform, source = self.layer.transform, self.layer.source
        draws = transform.draws(copy, number, 1)
        words = None if draws is None else draws[0]
        image, label = source.decode(self._fetched(number), partial(transform.need, words))
        self._check(image, number)
        try:
            return Sample(transform.shown(image, words), label, transform.describe(words, image.shape))
        except ShapeError as fault:
            raise DataError(f"{source.name(0, number)}: {fault.message}").at(self.lines.find(fault.field)) from None

    def _fetched(self, number: int) -> Any:
        with self._reading:  # sources are read by one thread at a time; decoding is for any
            return self.layer.source.fetch(0, number)

    def _check(self, image: Any, number: int) -> None:
        if image.dtype != np.uint8 or len(image) not in (1, 3):
            raise DataError(
                f"{self.layer.source.name(0, number)} is {size_text(image.shape)} of {image.dtype}; "
                "what is augmented here are images of bytes, of 1 or 3 channels"
            )

    def close(self) -> None:
        self._net.close()


def _data_layer(document: Document, name: str | None) -> Document:
    types = layer_types()
    found = [layer for layer in document.children("layer") if _reads_images(types.get(layer.message.type))]
    if name is not None:
        found = [layer for layer in found if layer.message.name == name]
    if len(found) != 1:
        names = ", ".join(f"'{layer.message.name}'" for layer in found)
        of_name = "" if name is None else f" '{name}'"
        raise NetcliError(
            f"the net has several layers that read images, {names}; --layer names one"
            if found
            else f"the net has no layer{of_name} of whole images (Data, ImageData) in this phase",
            place=document.lines.place(),
        )
    return found[0]


def _reads_images(layer: type | None) -> bool:
    return layer is not None and issubclass(layer, BatchLayer) and layer.whole_records
