"""What Classifier and Detector do alike: a net with one input of images, and the Transformer for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import size_text
from netcli.errors import ShapeError
from netcli.pycaffe.net import Net
from netcli.pycaffe.transformer import Transformer


def image_transformer(
    net: Net, mean: Any, input_scale: float | None, raw_scale: float | None, channel_swap: Sequence[int] | None
) -> Transformer:
    """The Transformer of images (H, W, K) for the net's first input, (N, C, H, W); raises ShapeError for another.

    Each of mean, input_scale, raw_scale and channel_swap that is not None is set.
    """
    if not net.inputs:
        raise ShapeError("the net has no input to put images in")
    in_ = net.inputs[0]
    shape = tuple(net.blobs[in_].shape)
    if len(shape) != 4:
        raise ShapeError(f"images go to an input (N, C, H, W), and '{in_}' is {size_text(shape)}")
    transformer = Transformer({in_: shape})
    transformer.set_transpose(in_, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(in_, mean)
    if input_scale is not None:
        transformer.set_input_scale(in_, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(in_, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(in_, channel_swap)
    return transformer
