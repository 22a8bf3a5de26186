"""What pycaffe does to an image before a net sees it, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from netcli.arrays.layout import Shape, size_text
from netcli.errors import NetcliError
from netcli.pycaffe.images import ArrayError, resize_image


class Transformer:
    """Prepares images for the inputs of a net.

    inputs: the shape (N, C, H, W) of each input, by its name

    What is set for an input stands in `transpose`, `channel_swap`, `raw_scale`, `mean` and `input_scale`, by its name;
    None there is nothing set.
    A name that is no input raises NetcliError.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, Any] = {}
        self.input_scale: dict[str, float] = {}

    def preprocess(self, in_: str, data: Any) -> Any:
        """(C, H, W) float32 for an input from an image (H', W', K).

        In this order: resized to the input's size, transposed, channels swapped, times raw_scale, less the mean,
        times input_scale; each where it is set.  `data` stays as it is; pycaffe changes it where neither a resizing
        nor a swap has made a copy.
        """
        self.__check_input(in_)
        image = np.asarray(data, np.float32)
        size = tuple(self.inputs[in_][2:])
        if image.shape[:2] != size:
            image = resize_image(image, size)
        if self.transpose.get(in_) is not None:
            image = image.transpose(self.transpose[in_])
        if self.channel_swap.get(in_) is not None:
            image = image[list(self.channel_swap[in_])]
        if np.may_share_memory(image, data):
            image = image.copy()
        if self.raw_scale.get(in_) is not None:
            image *= self.raw_scale[in_]
        if self.mean.get(in_) is not None:
            image -= self.mean[in_]
        if self.input_scale.get(in_) is not None:
            image *= self.input_scale[in_]
        return image

    def deprocess(self, in_: str, data: Any) -> Any:
        """The image (H, W, K) that `preprocess` made `data` from, but for its size; data: (C, H, W) or (1, C, H, W).

        Axes of length 1 are dropped, as in pycaffe, unless a transpose, a swap or a mean wants them; there pycaffe
        fails.
        """
        self.__check_input(in_)
        image = np.array(data, np.result_type(data, np.float32))
        axes = len(self.inputs[in_]) - 1
        ordered = any(each.get(in_) is not None for each in (self.transpose, self.channel_swap, self.mean))
        image = image.reshape(image.shape[-axes:]) if ordered else image.squeeze()
        if self.input_scale.get(in_) is not None:
            image /= self.input_scale[in_]
        if self.mean.get(in_) is not None:
            image += self.mean[in_]
        if self.raw_scale.get(in_) is not None:
            image /= self.raw_scale[in_]
        if self.channel_swap.get(in_) is not None:
            image = image[np.argsort(self.channel_swap[in_])]
        if self.transpose.get(in_) is not None:
            image = image.transpose(np.argsort(self.transpose[in_]))
        return image

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Set the order of axes: (2, 0, 1) makes (C, H, W) of (H, W, C)."""
        self.__check_input(in_)
        axes = len(self.inputs[in_]) - 1
        if len(order) != axes:
            raise NetcliError(
                f"input '{in_}' has {axes} axes beside the batch's, and the transpose {tuple(order)} {len(order)}"
            )
        self.transpose[in_] = order

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Set the order of channels, which are the first axis after the transpose: (2, 1, 0) makes BGR of RGB."""
        self.__check_input(in_)
        if len(order) != self.inputs[in_][1]:
            raise NetcliError(
                f"input '{in_}' has {self.inputs[in_][1]} channels, and the channel swap {tuple(order)} {len(order)}"
            )
        self.channel_swap[in_] = order

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """Set the factor before the mean is taken off: 255 where the net was trained with pixels in 0..255."""
        self.__check_input(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: Any) -> None:
        """Set what is taken off; raises ArrayError, a ValueError, for what does not fit.

        mean: an array (C,) or (C, 1, 1), a value for each channel; (C, H', W'), which is resized to the input's size,
            and not cropped as by Caffe's data layers; (H', W'), the same for all channels
        pycaffe resizes (C, 1, 1) too, by which it fades towards the borders, and fails to resize (H', W').
        """
        self.__check_input(in_)
        mean = np.asarray(mean)
        wanted: Shape = tuple(self.inputs[in_][1:])
        if mean.ndim == 1:
            mean = mean[:, None, None]
        elif mean.ndim == 2:
            mean = mean[None]
        if mean.ndim != 3:
            raise ArrayError(f"a mean is (C,), (C, H, W) or (H, W), and this is an array of {size_text(mean.shape)}")
        if mean.shape[0] not in (1, wanted[0]):
            raise ArrayError(f"the mean has {mean.shape[0]} channels, input '{in_}' {wanted[0]}")
        if mean.shape[1:] not in ((1, 1), wanted[1:]):
            mean = resize_image(mean.transpose(1, 2, 0).astype(np.float64), wanted[1:]).transpose(2, 0, 1)
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """Set the factor after the mean is taken off; `set_raw_scale` is the one before."""
        self.__check_input(in_)
        self.input_scale[in_] = scale

    def __check_input(self, in_: str) -> None:
        if in_ not in self.inputs:
            raise NetcliError(
                f"'{in_}' is no input of the net; there are {', '.join(map(repr, self.inputs)) or 'none'}"
            )
