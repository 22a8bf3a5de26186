"""Scores of a net over a number of batches: the means of its outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netcli.arrays.late import mean
from netcli.blob import Blob
from netcli.net import Net
from netcli.training.view_test import ViewTest


@dataclass(frozen=True)
class Output:
    """One item of an output blob; a blob of several is shown item by item, as Caffe does."""

    name: str
    value: float
    weight: float = 0.0  # in the loss

    def __str__(self) -> str:
        share = f" (* {self.weight:g} = {self.weight * self.value:g} loss)" if self.weight else ""
        return f"{self.name} = {self.value:g}{share}"


@dataclass
class Score:
    """Means over the batches of a test.

    loss: the net's weighted loss    records: how many were given to it, None where it has no source
    """

    batches: int
    loss: float
    outputs: list[Output] = field(default_factory=list)
    records: int | None = None


def by_name(outputs: Sequence[Output]) -> dict[str, float | list[float]]:
    """Outputs as numbers, or lists of them for blobs of several items."""
    lists: dict[str, list[float]] = {}
    for output in outputs:
        lists.setdefault(output.name, []).append(output.value)
    return {name: values[0] if len(values) == 1 else values for name, values in lists.items()}


def outputs_of(net: Net | ViewTest) -> list[Output]:
    """The net's outputs as the last forward pass left them."""
    return _spread(net, [net.blobs[name].host_data() for name in net.outputs])


def score(net: Net | ViewTest, batches: int, each: Callable[[int], bool] = lambda _: True) -> Score | None:
    """The means over so many forward passes; None where `each`, called before each, said to stop.

    Over no pass there are no outputs, and the loss is not a number, as in Caffe.
    """
    if batches == 0:
        return Score(0, math.nan)
    outputs = [net.blobs[name] for name in net.outputs]
    sums: list[Any] = [None] * len(outputs)  # where the net computes
    losses = []
    before = net.positions()
    for batch in range(batches):
        if not each(batch):
            return None
        losses.append(net.forward())
        for i, blob in enumerate(outputs):
            with blob.device.turn:
                values = blob.data.astype(np.float64)
                sums[i] = sums[i] + values if batch else values
    means = [_mean(blob, total, batches) for blob, total in zip(outputs, sums, strict=True)]
    after = net.positions()
    records = max((after[name] - before[name] for name in after), default=None)
    return Score(batches, float(mean(losses)), _spread(net, means), records)


def _mean(blob: Blob, total: Any, batches: int) -> Any:
    with blob.device.turn:
        return blob.device.to_host(total / batches)


def _spread(net: Net | ViewTest, values: list[Any]) -> list[Output]:
    # ravel: Caffe's order, whatever lies in memory.
    return [
        Output(name, float(item), net.loss_weights.get(name, 0.0))
        for name, array in zip(net.outputs, values, strict=True)
        for item in array.ravel()
    ]
