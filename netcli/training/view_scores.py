"""Scores of images by a net that is shown several views of each: their mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from netcli.arrays.device import CPU
from netcli.arrays.layout import Shape, count_of, size_text
from netcli.augment.views import View
from netcli.errors import ShapeError
from netcli.net import Net


class ViewScores:
    """Runs a net over the views of images, and averages what it says of each image.

    net      with one input of images (N, C, H, W); a pass takes as many views as fill that, so that no more memory
             is taken than a pass over ordinary batches takes
    input    its name
    outputs  the blobs to average, (N, classes) or (N, classes, ...), over whose further axes (the places of a fully
             convolutional net) is averaged too; True: these are scores, to be made probabilities by softmax first
    """

    def __init__(self, net: Net, input: str, outputs: Mapping[str, bool]) -> None:
        self.net = net
        self._data = net.blobs[input]
        self._outputs = outputs
        self._room = count_of((self._data.shape[0], *self._data.shape[2:]))  # pixels that a pass takes

    def __call__(self, images: Iterable[Any], viewer: Callable[[Any], Iterable[View]]) -> dict[str, Any]:
        """For each output (images, classes) float64, the mean over the views of each image.

        images: (C, H, W) each, taken when it is their turn; viewer: gives the views of one
        """
        sums: dict[str, list[Any]] = {name: [] for name in self._outputs}
        counts: list[int] = []
        for owners, parts in self._passes(images, viewer):
            for owner in owners:
                counts.extend([0] * (owner + 1 - len(counts)))
                counts[owner] += 1
            for name, rows in parts.items():
                for owner, row in zip(owners, rows, strict=True):
                    if owner == len(sums[name]):
                        sums[name].append(np.zeros(len(row)))
                    sums[name][owner] += row
        return {name: np.stack(rows) / np.array(counts)[:, None] for name, rows in sums.items() if rows}

    def _passes(
        self, images: Iterable[Any], viewer: Callable[[Any], Iterable[View]]
    ) -> Iterator[tuple[list[int], dict[str, Any]]]:
        """For each pass the images that its views are of, and the outputs' rows."""
        waiting: list[tuple[int, View]] = []
        for number, image in enumerate(images):
            for view in viewer(image):
                if waiting and (view.shape != waiting[0][1].shape or len(waiting) >= self._capacity(view.shape)):
                    yield self._run(waiting)
                    waiting = []
                waiting.append((number, view))
        if waiting:
            yield self._run(waiting)

    def _capacity(self, shape: Shape) -> int:
        return max(1, self._room // count_of(shape[1:]))

    def _run(self, waiting: list[tuple[int, View]]) -> tuple[list[int], dict[str, Any]]:
        shape = (len(waiting), *waiting[0][1].shape)
        if self._data.shape != shape:
            self._data.reshape(shape)
            self.net.reshape()
        batch = self._data.data if self._data.device is CPU else np.empty(shape, self._data.dtype)
        for item, (_, view) in enumerate(waiting):
            view.fill(batch[item])
        if self._data.device is not CPU:
            self._data.set_data(batch)
        self.net.forward()
        return [number for number, _ in waiting], {name: self._rows(name, len(waiting)) for name in self._outputs}

    def _rows(self, name: str, count: int) -> Any:
        """(count, classes) float64: what the last pass said."""
        values = np.asarray(self.net.blobs[name].host_data(), np.float64)
        if values.shape[:1] != (count,):
            raise ShapeError(
                f"output '{name}' is {size_text(values.shape)} for {count} images; a row for each is averaged"
            )
        if values.ndim == 1:
            values = values[:, None]
        if self._outputs[name]:
            values = np.exp(values - values.max(axis=1, keepdims=True))
            values /= values.sum(axis=1, keepdims=True)
        return values.reshape(*values.shape[:2], -1).mean(axis=2)
