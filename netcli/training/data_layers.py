"""The layers of a net that read images and labels, by themselves: what they read, and how fast.

The rest of the net is not built, so that a net that is not finished, or whose first image is broken, can be looked at.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from netcli.arrays.ops import Ops
from netcli.arrays.threads import set_data_threads
from netcli.blob import Blob
from netcli.errors import NetcliError
from netcli.layers.base import Context, Layer, check_arity
from netcli.layers.batches import BatchLayer
from netcli.layers.registry import layer_class
from netcli.net.rules import net_state, select_layers
from netcli.prototxt.lines import Document, Lines
from netcli.training.choices import Choice

PARTS = 10  # of the time, over which the spread is told


@dataclass(frozen=True)
class DataLayer:
    """A layer without bottoms of a net in one phase: its message and place, and the phase."""

    param: Any
    lines: Lines
    phase: int
    folder: str | None  # of the net's file

    @property
    def reads_images(self) -> bool:
        """Whether it has records that can be looked at one by one."""
        cls = self._cls()
        return issubclass(cls, BatchLayer) and cls.whole_records

    @property
    def key(self) -> tuple[str, bytes]:
        """The same for layers that read the same: their type and what its own parameters say."""
        own = getattr(self.param, self._cls().param_field or "", None)
        return self.param.type, b"" if own is None else own.SerializeToString(deterministic=True)

    def make(self, ops: Ops) -> Layer:
        """The layer, not set up; raises NetcliError with its place."""
        with self.placed():
            return self._cls()(self.param, Context(self.phase, ops=ops, folder=self.folder))

    def uncached(self) -> DataLayer:
        """The same without a cache of its own, for who reads each record once."""
        param = type(self.param)()
        param.CopyFrom(self.param)
        if name := self._cls().param_field:
            own = getattr(param, name)
            if "cache" in own.DESCRIPTOR.fields_by_name:
                own.ClearField("cache")
        return replace(self, param=param)

    @contextmanager
    def placed(self) -> Iterator[None]:
        """What NetcliError is raised within gets the layer and its line."""
        try:
            yield
        except NetcliError as fault:
            raise fault.in_layer(self.param.name, self.param.type).at(self.lines.find(fault.field)) from None

    def _cls(self) -> type[Layer]:
        try:
            return layer_class(self.param.type)
        except NetcliError as fault:
            raise fault.in_layer(self.param.name, self.param.type).at(self.lines.find("type")) from None


def data_layers(choice: Choice) -> list[DataLayer]:
    """Those of a net in its phase that bring data in, Input layers left out."""
    document: Document = choice.document
    selected = select_layers(document, net_state(document.message, choice.phase, choice.level, choice.stages))
    file = document.lines.file
    folder = os.path.dirname(os.path.abspath(file)) if file else None
    found = [
        DataLayer(child.message, child.lines, choice.phase, folder)
        for child in selected.children("layer")
        if not child.message.bottom and child.message.type not in ("Input", "Parameter", "Python")
    ]
    return [each for each in found if each._cls().is_source]


@dataclass
class Rate:
    """How fast data layers make batches when nothing else runs.

    images    handed over in `seconds`, of all layers together
    parts     images a second in each of several parts of that time, of whole batches
    """

    images: int = 0
    seconds: float = 0.0
    parts: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.images / self.seconds


def pipeline_rate(layers: Sequence[DataLayer], seconds: float, threads: int | None) -> Rate:
    """Run the layers alone, one batch of each in turn, for some seconds after the batches that are made ahead.

    threads: that decode and transform, in place of what the layers' messages and the machine say
    """
    set_data_threads(threads)
    made: list[tuple[Layer, list[Blob]]] = []
    try:
        for each in layers:
            layer = each.make(Ops())
            tops = [Blob() for _ in each.param.top]
            made.append((layer, tops))
            with each.placed():
                check_arity(type(layer), 0, len(tops))
                layer.setup([], tops)
                layer.reshape([], tops)
        ahead = max(each.param.data_param.prefetch for each in layers) + 1
        _passes(layers, made, ahead)
        begin = time.perf_counter()
        ends: list[float] = []
        counts: list[int] = []
        while not ends or ends[-1] - begin < seconds:
            counts.append(_passes(layers, made, 1))
            ends.append(time.perf_counter())
        return _rate(begin, ends, counts)
    finally:
        for layer, _ in made:
            layer.close()
        set_data_threads(None)


def _passes(layers: Sequence[DataLayer], made: Sequence[tuple[Layer, list[Blob]]], count: int) -> int:
    images = 0
    for _ in range(count):
        for each, (layer, tops) in zip(layers, made, strict=True):
            with each.placed():
                layer.forward([], tops)
            images += tops[0].shape[0] if tops and tops[0].shape else 1
    return images


def _rate(begin: float, ends: Sequence[float], counts: Sequence[int]) -> Rate:
    rate = Rate(sum(counts), ends[-1] - begin)
    parts = min(PARTS, len(ends))
    cuts = [len(ends) * i // parts for i in range(parts + 1)]
    for low, high in pairwise(cuts):
        start = ends[low - 1] if low else begin
        rate.parts.append(sum(counts[low:high]) / max(ends[high - 1] - start, 1e-9))
    return rate
