"""A test net that is shown several views of each image."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape
from netcli.arrays.ops import Ops
from netcli.augment.views import Viewer, Views
from netcli.errors import NetcliError
from netcli.layers.base import Layer
from netcli.layers.batches import BatchLayer
from netcli.net import Net
from netcli.net.rules import net_state, select_layers
from netcli.sources.prefetch import Prefetch
from netcli.training.choices import Choice
from netcli.training.measures import part
from netcli.training.view_scores import ViewScores
from netcli.training.weights import load_all_weights

LEAST = float(np.finfo(np.float32).tiny)  # the least probability that a loss takes the logarithm of, as Caffe's


class ViewTest:
    """A net that gives the mean over the views of each image's probabilities to its measures (losses, accuracies).

    p = mean over views v of softmax(x_v), as Krizhevsky et al. 2012 average ten crops; the measures are given log p
    where they take softmax themselves, whose softmax is p.  Where a blob of probabilities is measured, they get p.

    It is to `score` and what tells of scores what a Net is: an ordinary pass takes one batch of the data layer.
    A pass of the scoring layers takes as many views as a batch has images, so that the memory is that of a test.

    Raises NetcliError for nets that have no one data layer, or measure something else than classes.
    """

    def __init__(self, choice: Choice, views: Views, *, ops: Ops, allow_python: bool = False) -> None:
        state = net_state(choice.document.message, choice.phase, choice.level, choice.stages)
        parts = part(select_layers(choice.document, state))
        options: dict[str, Any] = {"ops": ops, "seed": 0, "allow_python": allow_python, "gradients": False}
        self._open = ExitStack()
        try:
            data = Net(parts.data, choice.phase, dry=True, **options)
            self._open.callback(data.close)
            layer = data.layers[0]
            assert isinstance(layer, BatchLayer)  # as `part` has seen to
            self._source = layer
            try:
                self._viewer = Viewer(
                    layer.param.transform_param, views, layer.mean_image(), layer.find, layer.dtype, ops
                )
                image, _ = layer.untransformed(0)
                shape = next(iter(self._viewer(image))).shape
            except NetcliError as fault:
                lines = parts.data.children("layer")[0].lines
                raise fault.in_layer(layer.name, layer.type).at(lines.find(fault.field)) from None
            net = parts.scoring_net((layer.batch_size, *self._batch_shape(shape, views)))
            self._scoring = Net(net, choice.phase, constant=True, keep_blobs=set(parts.scores), **options)
            self._open.callback(self._scoring.close)
            self._check_losses(parts.scores)
            shapes: dict[str, Shape] = {
                name: (layer.batch_size, self._scoring.blobs[name].shape[1]) for name in parts.scores
            }
            shapes |= {name: data.blobs[name].shape for name in parts.labels}
            self._measures = Net(parts.measuring_net(shapes), choice.phase, constant=True, **options)
            self._open.callback(self._measures.close)
            self._labels = parts.labels
            self._scores = ViewScores(self._scoring, parts.images, parts.scores)
            self._is_score = parts.scores
            self._feed = Prefetch(self._load, layer.batch_size, 2)
            self._open.callback(self._feed.close)
        except BaseException:
            self.close()
            raise
        self.name, self.outputs, self.blobs = data.name, self._measures.outputs, self._measures.blobs
        self.loss_weights = self._measures.loss_weights

    def _batch_shape(self, shape: Sequence[int], views: Views) -> Sequence[int]:
        """The shape of the images that passes are planned for; whole images may be of any."""
        crop = self._source.transform.crop
        return (shape[0], *crop) if views.whole and crop != (0, 0) else shape

    def _check_losses(self, scores: Any) -> None:
        """Raise NetcliError for what would be left out of the result."""
        if self._scoring.loss_weights:
            names = ", ".join(f"'{name}'" for name in self._scoring.loss_weights)
            raise NetcliError(f"the loss {names} is without labels; several views are averaged for those with labels")
        for name in scores:
            if len(self._scoring.blobs[name].shape) < 2:
                raise NetcliError(f"'{name}' is {self._scoring.blobs[name].shape}, which is no scores of classes")

    def load(self, paths: Sequence[str]) -> None:
        """Take the weights of each file in turn; warns of layers that none has weights for."""
        load_all_weights(self._scoring, paths)
        if self._measures.params:
            load_all_weights(self._measures, paths)

    def _load(self, position: int) -> list[tuple[Any, Any]]:
        """In the prefetching thread: the images and labels of a batch."""
        return [self._source.untransformed(position + item) for item in range(self._source.batch_size)]

    def forward(self) -> float:
        """One batch; returns the loss."""
        records = self._feed.next()
        found = self._scores((image for image, _ in records), self._viewer)
        for name, p in found.items():
            self._measures.blobs[name].set_data(np.log(np.maximum(p, LEAST)) if self._is_score[name] else p)
        labels = np.array([label for _, label in records], np.float32)
        for name in self._labels:
            self._measures.blobs[name].set_data(labels.reshape(self._measures.blobs[name].shape))
        return self._measures.forward()

    def positions(self) -> dict[str, int]:
        """Records that the source has given so far."""
        return {self._source.name: self._feed.position}

    @property
    def sources(self) -> dict[str, Layer]:
        return {self._source.name: self._source}

    def close(self) -> None:
        self._open.close()
