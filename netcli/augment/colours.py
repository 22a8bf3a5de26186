"""Steps that change an image's colours.

- distort_param (SSD: Liu et al., "SSD: Single Shot MultiBox Detector", 2016, after Howard 2013): brightness, contrast,
  saturation and hue, each with a chance of its own, contrast before or after saturation and hue.
- color_jitter: the four in random order, factors as torchvision's ColorJitter draws them.
- pca_jitter (Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012): a colour that
  is added to every pixel.  It is taken into the mean, so it costs nothing and is not rounded.

Of images that have not three channels, saturation and hue stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from netcli.arrays import pixels
from netcli.augment.draws import happens, normals, order, uniform
from netcli.augment.statistics import IMAGENET_AXES, IMAGENET_STD, read_color_statistics
from netcli.augment.steps import Step, check_bounds, check_order
from netcli.errors import NetcliError

Change = tuple[str, Callable[[Any], Any]]  # in words, and what it makes of an image


def colour_steps(param: Any) -> Iterator[Step]:
    """Those that a TransformationParameter asks for."""
    if param.HasField("distort_param"):
        _check_distortion(param.distort_param)
        yield _step("distort_param", 3, _distortions(param.distort_param))
    if param.HasField("color_jitter"):
        _check_jitter(param.color_jitter)
        yield _step("color_jitter", 2, _jitters(param.color_jitter))


def _step(name: str, blocks: int, changes: Callable[[Any], Iterator[Change]]) -> Step:
    def apply(image: Any, words: Any) -> Any:
        for _, change in changes(words):
            image = change(image)
        return image

    return Step(name, blocks, apply, lambda words, _shape: ", ".join(text for text, _ in changes(words)))


def brightness(plus: float) -> Change:
    """Levels plus a number."""
    return f"brightness {plus:+.0f}", lambda image: pixels.linear(image, 1, plus)


def contrast(factor: float) -> Change:
    """Levels times a factor."""
    return f"contrast {factor:.2f}", lambda image: pixels.linear(image, factor)


def saturation(factor: float) -> Change:
    """Each pixel's distance from its grey times a factor."""
    return f"saturation {factor:.2f}", lambda image: pixels.saturate(image, factor) if len(image) == 3 else image


def hue(turn: float) -> Change:
    """The hue turned by a part of the circle."""
    return f"hue {360 * turn:+.0f} degrees", lambda image: pixels.turn_hue(image, turn) if len(image) == 3 else image


def _check_distortion(param: Any) -> None:
    field = "transform_param.distort_param"
    for name in ("prob", "brightness", "contrast", "hue", "saturation", "random_order", "all_effects"):
        if param.HasField(name):
            raise NetcliError(f"distort_param.{name} is known but not computed", field=f"{field}.{name}")
    chances = ("brightness_prob", "contrast_prob", "saturation_prob", "hue_prob", "random_order_prob")
    bounds = dict.fromkeys(chances, (0, 1))
    check_bounds(param, field, **bounds, brightness_delta=(0, 255), hue_delta=(0, 180))
    for name in ("contrast", "saturation"):
        if getattr(param, f"{name}_prob") > 0:
            check_order(param, field, f"{name}_lower", f"{name}_upper", 0)


def _distortions(param: Any) -> Callable[[Any], Iterator[Change]]:
    def swapped(word: Any) -> Change:
        places = order(word, 3)
        return f"channels {places}", lambda image: image[places] if len(image) == 3 else image

    def changes(words: Any) -> Iterator[Change]:
        if happens(words[0], param.brightness_prob):
            yield brightness(uniform(words[1], -param.brightness_delta, param.brightness_delta))
        contrasted = happens(words[2], param.contrast_prob)
        of_contrast = contrast(uniform(words[3], param.contrast_lower, param.contrast_upper))
        first = happens(words[4], 0.5)
        if contrasted and first:
            yield of_contrast
        if happens(words[5], param.saturation_prob):
            yield saturation(uniform(words[6], param.saturation_lower, param.saturation_upper))
        if happens(words[7], param.hue_prob):
            yield hue(uniform(words[8], -param.hue_delta, param.hue_delta) / 180)  # OpenCV's hue goes to 180
        if contrasted and not first:
            yield of_contrast
        if happens(words[9], param.random_order_prob):
            yield swapped(words[10])

    return changes


def _check_jitter(param: Any) -> None:
    factors = dict.fromkeys(("brightness", "contrast", "saturation"), (0, 1e6))
    check_bounds(param, "transform_param.color_jitter", **factors, hue=(0, 0.5), prob=(0, 1))


def _jitters(param: Any) -> Callable[[Any], Iterator[Change]]:
    def factor(word: Any, width: float) -> float:
        return uniform(word, max(0.0, 1 - width), 1 + width)

    def from_grey(word: Any) -> Change:
        by = factor(word, param.contrast)
        return f"contrast {by:.2f}", lambda image: pixels.linear(image, by, (1 - by) * pixels.mean_grey(image))

    def lighter(word: Any) -> Change:
        by = factor(word, param.brightness)
        return f"brightness {by:.2f}", lambda image: pixels.linear(image, by)

    def changes(words: Any) -> Iterator[Change]:
        if not happens(words[0], param.prob):
            return
        for number in order(words[1], 4):
            word = words[2 + number]
            if number == 0 and param.brightness:
                yield lighter(word)
            elif number == 1 and param.contrast:
                yield from_grey(word)
            elif number == 2 and param.saturation:
                yield saturation(factor(word, param.saturation))
            elif number == 3 and param.hue:
                yield hue(uniform(word, -param.hue, param.hue))

    return changes


class PCAJitter:
    """What is added to each channel of an image: the sum over axes i of n_i * size_i * axis_i, n_i normal.

    param  PCAJitterParameter
    find   gives the path of a file that a prototxt names
    n_i    independent, mean 0, standard deviation `std`
    size_i sqrt(m_i) (CUDA_CONVNET) or m_i / 255 (FB_RESNET), m_i being the variance along axis i, pixels in 0..255

    cuda-convnet2 divides the image by 1 + std afterwards; that is scale's to do.
    """

    def __init__(self, param: Any, find: Callable[[str], str]) -> None:
        field = "transform_param.pca_jitter"
        values, axes = IMAGENET_STD**2, IMAGENET_AXES
        if param.eigenvalue or param.eigenvector:
            values, axes = np.array(param.eigenvalue), np.array(param.eigenvector)
            if axes.size != values.size**2:
                raise NetcliError(
                    f"{values.size} eigenvalues and {axes.size} numbers of eigenvectors; "
                    "of n channels there are n and n * n",
                    field=f"{field}.eigenvector",
                )
        elif param.statistics_file:
            found = read_color_statistics(find(param.statistics_file))
            values, axes = np.array(found.eigenvalue), np.array(found.eigenvector)
        if values.min() < 0 or param.std < 0:
            raise NetcliError("eigenvalues and std are not negative", field=f"{field}.std")
        sizes = values / 255 if param.magnitude == param.FB_RESNET else np.sqrt(values)
        self.channels = len(values)
        self.blocks = -(-2 * -(-self.channels // 2) // 4)  # two words make two normal numbers
        self.std = float(param.std)
        # Row i: what one of n_i adds to each channel.
        self.additions = sizes[:, None] * axes.reshape(self.channels, self.channels)

    def __call__(self, words: Any) -> Any:
        """(C,) float64, to be added to each pixel in 0..255."""
        drawn = [n for first in range(0, self.channels, 2) for n in normals(words[first], words[first + 1])]
        return self.std * np.array(drawn[: self.channels]) @ self.additions
