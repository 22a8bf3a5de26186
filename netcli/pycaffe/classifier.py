"""Classifier: the classes of images by a net, from ten crops of each or one."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from netcli.augment.views import CROPS
from netcli.layers.base import TEST
from netcli.pycaffe.image_input import image_transformer
from netcli.pycaffe.images import ArrayError, oversample, resize_image
from netcli.pycaffe.net import Net


class Classifier(Net):
    """A net of phase TEST with one input of images (N, C, H, W), whose first output is the classes' scores.

    model_file       prototxt
    pretrained_file  caffemodel; None leaves the net its first values
    image_dims       (H, W) that an image is resized to, out of which the net's input is cropped; None: the input's own
    mean             what is taken off, as `Transformer.set_mean` takes it, in the net's order of channels
    input_scale      factor after the mean
    raw_scale        factor before the mean: 255 for images in 0..1 where the net was trained with 0..255
    channel_swap     (2, 1, 0) for images in RGB where the net was trained with BGR

    These are in `transformer`, `image_dims` and `crop_dims`, and may be changed there.  Raises NetcliError; sizes that
    do not fit, and no images, are ArrayError, a ValueError.
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str] | None,
        image_dims: Sequence[int] | None = None,
        mean: Any = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = image_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims: Any = np.array(self.blobs[self.inputs[0]].shape[2:])
        self.image_dims: Any = self.crop_dims if image_dims is None or not len(image_dims) else image_dims
        self._corner()

    def predict(self, inputs: Iterable[Any], oversample: bool = True) -> Any:
        """The scores of images (H, W, K), which may differ in size: (N, classes) float32.

        oversample: the mean of ten crops (corners and centre, and mirrored: `io.oversample`); False: the centre's
            alone, in the output's own shape
        """
        batches = list(self.predict_batches(inputs, oversample))
        if not batches:
            raise ArrayError("there are no images to classify")
        return np.concatenate(batches)

    def predict_batches(self, inputs: Iterable[Any], oversample: bool = True) -> Iterator[Any]:
        """The same for as many images at a time as fill whole batches of the net; images are taken when it is their
        turn, so that no more of them need be in memory.
        """
        in_, out = self.inputs[0], self.outputs[0]
        batch = int(self.blobs[in_].shape[0])
        at_once = batch // math.gcd(batch, CROPS) if oversample else batch
        images = iter(inputs)
        while crops := [self._crops(image, oversample) for image in islice(images, at_once)]:
            batches: dict[str, Any] = {in_: np.concatenate(crops)}
            scores = self.forward_all(**batches)[out]
            yield scores.reshape(len(crops), CROPS, -1).mean(axis=1) if oversample else scores

    def _crops(self, image: Any, oversampled: bool) -> Any:
        """(10 or 1, C, h, w): an image as the net takes it."""
        whole = resize_image(image, self.image_dims)
        if oversampled:
            crops = oversample([whole], self.crop_dims)
        else:
            (height, width), (y, x) = self.crop_dims, self._corner()
            crops = whole[None, y : y + height, x : x + width]
        return np.stack([self.transformer.preprocess(self.inputs[0], crop) for crop in crops])

    def _corner(self) -> tuple[int, int]:
        """The upper left corner of the crop at the centre; raises ArrayError where it is too large."""
        (height, width), (h, w) = self.image_dims, self.crop_dims
        if h > height or w > width:
            raise ArrayError(f"the net's input, {h}x{w}, does not fit into images of {height}x{width}")
        return (height - h) // 2, (width - w) // 2
