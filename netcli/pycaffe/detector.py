"""Detector: the classes of windows of images by a net, as in R-CNN.

Girshick, Donahue, Darrell & Malik, "Rich feature hierarchies for accurate object detection and semantic
segmentation", CVPR 2014, arXiv:1311.2524.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from netcli.arrays.layout import size_text
from netcli.errors import DataError, NetcliError
from netcli.layers.base import TEST
from netcli.pycaffe.image_input import image_transformer
from netcli.pycaffe.images import ArrayError, load_image, resize_image
from netcli.pycaffe.net import Net

PROPOSALS = "selective_search_ijcv_with_python"  # the user's module that finds windows


class Detector(Net):
    """A net of phase TEST with one input of images (N, C, H, W), whose first output has a row for each.

    context_pad  pixels of the input, on each side, that show what is around the window; None or 0: none

    The others are those of Classifier.  A window is ymin, xmin, ymax, xmax in pixels, the last two outside of it.
    """

    def __init__(
        self,
        model_file: str | os.PathLike[str],
        pretrained_file: str | os.PathLike[str] | None,
        mean: Any = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        super().__init__(model_file, TEST, weights=pretrained_file)
        self.transformer = image_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(self, images_windows: Iterable[tuple[str, Iterable[Any]]]) -> list[dict[str, Any]]:
        """What the net says of windows, each stretched to its input.

        images_windows: image files, each with its windows
        Returns for each window a dict of `filename`, `window` (as it was given) and `prediction`, in their order.
        No more images and windows are in memory than a batch of the net takes.
        """
        in_, out = self.inputs[0], self.outputs[0]
        windows = self._windows(images_windows)
        detections: list[dict[str, Any]] = []
        while batch := list(islice(windows, int(self.blobs[in_].shape[0]))):
            crops: dict[str, Any] = {in_: np.stack([self.transformer.preprocess(in_, crop) for _, _, crop in batch])}
            for (filename, window, _), prediction in zip(batch, self.forward_all(**crops)[out], strict=True):
                detections.append({"window": window, "prediction": prediction, "filename": filename})
        return detections

    def _windows(self, images_windows: Iterable[tuple[str, Iterable[Any]]]) -> Iterator[tuple[str, Any, Any]]:
        """Each window's file, the window, and what it shows (H, W, K)."""
        for filename, windows in images_windows:
            image = load_image(filename)
            try:
                for window in windows:
                    yield filename, window, self.crop(image, window)
            except DataError as fault:
                raise DataError(f"{filename}: {fault.message}") from None

    def detect_selective_search(self, image_fnames: Iterable[str]) -> list[dict[str, Any]]:
        """`detect_windows` of the windows that Selective Search proposes in image files.

        That is the user's own module selective_search_ijcv_with_python, which runs MATLAB; raises NetcliError where it
        can't be imported.
        """
        try:
            search = importlib.import_module(PROPOSALS)
        except ImportError as fault:
            raise NetcliError(
                f"windows by selective search need the module {PROPOSALS} on PYTHONPATH, from "
                f"https://github.com/sergeyk/{PROPOSALS}, and {fault}"
            ) from None
        files = [os.path.abspath(name) for name in image_fnames]  # MATLAB works in a folder of its own
        return self.detect_windows(zip(files, search.get_windows(files, cmd="selective_search_rcnn"), strict=True))

    def crop(self, im: Any, window: Any) -> Any:
        """What a window shows of an image (H, W, K), the part within the image; raises DataError where there is none.

        With `context_pad` it is of the size of the net's input: the window and what is around it, stretched so that
        context_pad pixels on each side are context; beyond the image is `crop_mean`.
        """
        box = np.asarray(window, np.float64).reshape(2, 2)  # (ymin, xmin), (ymax, xmax)
        if not self.context_pad:
            return _part(im, box, window)
        size = self.crop_dims[:2]
        half = (box[1] - box[0] + 1) / 2
        grown = half * (size / (size - 2 * self.context_pad))
        centre = box[0] + half
        box = np.round([centre - grown, centre + grown])
        ratio = size / (box[1] - box[0] + 1)  # pixels of the input for one of the image
        before = np.round(np.maximum(0, -box[0]) * ratio).astype(int)  # rows and columns beyond the image
        box = np.clip(box, 0, im.shape[:2])
        shown = np.minimum(np.round((box[1] - box[0] + 1) * ratio).astype(int), size - before)
        crop = np.ones(self.crop_dims, np.float32) * np.asarray(self.crop_mean, np.float32)
        part = _part(im, box, window)
        if shown.all():  # not where it is less than a pixel of the input
            (y, x), (height, width) = before, shown
            crop[y : y + height, x : x + width] = resize_image(part, (height, width))
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Set how much of the input is context, and `crop_dims` (H, W, K) and `crop_mean` for it.

        crop_mean is the transformer's mean as it was before raw_scale and the swap of channels, so that nothing is left
        of it in the net's input; without a mean it is 0.  Raises ArrayError for a context that leaves no window.
        """
        in_ = self.inputs[0]
        order = np.argsort(self.transformer.transpose[in_])
        self.crop_dims: Any = np.array(self.blobs[in_].shape[1:])[order]
        height, width = self.crop_dims[:2].tolist()
        if context_pad and 2 * context_pad >= min(height, width):
            raise ArrayError(f"a context of {context_pad} pixels on each side leaves no window in {height}x{width}")
        self.context_pad = context_pad
        self.crop_mean: Any = np.zeros(self.crop_dims, np.float32)
        mean, swap = self.transformer.mean.get(in_), self.transformer.channel_swap.get(in_)
        if mean is not None:
            self.crop_mean = mean.transpose(order)
            if swap is not None and mean.shape[0] > 1:
                self.crop_mean = self.crop_mean[:, :, np.argsort(swap)]
            self.crop_mean = self.crop_mean / (self.transformer.raw_scale.get(in_) or 1)


def _part(image: Any, box: Any, window: Any) -> Any:
    """The image inside a box, (ymin, xmin), (ymax, xmax)."""
    (top, left), (bottom, right) = np.clip(box, 0, image.shape[:2]).astype(int)
    if top >= bottom or left >= right:
        told = ", ".join(f"{value:g}" for value in np.asarray(window).ravel())
        raise DataError(
            f"the window {told} (ymin, xmin, ymax, xmax) shows nothing of {size_text(image.shape[:2])} pixels"
        )
    return image[top:bottom, left:right]
