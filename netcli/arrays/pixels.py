"""Images of bytes, (C, H, W): other colours, and seen through an affine map or a blur.

Each function makes a new image, which lies in pixels.  The kernels in compiled/kernels/pixels.py do the work; the NumPy
functions of the same names in plain/pixels.py are their definitions, and serve where numba is missing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from netcli.arrays.compiled import compiler
from netcli.arrays.plain import pixels as plain
from netcli.arrays.unsupported import Unsupported

GREY = np.array([0.114, 0.587, 0.299], np.float32)  # of B, G, R: ITU-R BT.601


def linear(image: Any, factor: float, plus: float = 0.0) -> Any:
    """Levels times a factor, plus a number."""
    return _made("linear", image, (), np.float32(factor), np.float32(plus))


def saturate(image: Any, factor: float) -> Any:
    """The distance of each pixel from its grey times a factor; of three channels, B G R."""
    return _made("saturate", image, (), np.float32(factor))


def turn_hue(image: Any, turn: float) -> Any:
    """The hue of each pixel turned by a part of the circle; of three channels, B G R."""
    return _made("turn_hue", image, (), np.float32(turn))


def mean_grey(image: Any) -> float:
    """The mean of an image's grey, or of its levels where it has other than three channels."""
    means = image.reshape(len(image), -1).mean(1) if image.flags.c_contiguous else image.mean((1, 2))
    return float(means @ GREY) if len(image) == 3 else float(means.mean())


def warp(image: Any, inverse: Any, fill: Any) -> Any:
    """Each pixel (x, y) from where the rows of `inverse` (2, 3), times (x, y, 1), say; mixed of the four around it.

    fill: what is beyond the edge, for each channel
    """
    of_map = np.ascontiguousarray(inverse, np.float32).reshape(-1)
    return _made("warp", image, image.shape[1:] + image.shape[:1], of_map, np.ascontiguousarray(fill, np.float32))


def blur(image: Any, sigma: float) -> Any:
    """Gaussian blur; sigma: standard deviation in pixels, of which four are counted."""
    reach = max(1, math.ceil(4 * sigma))
    weights = np.exp(-0.5 * (np.arange(reach + 1) / max(sigma, 1e-6)) ** 2)
    weights /= weights[0] + 2 * weights[1:].sum()
    return _made("blur", image, image.shape[1:] + image.shape[:1], weights.astype(np.float32))


def _made(name: str, image: Any, sizes: tuple[int, ...], *arguments: Any) -> Any:
    source = image.transpose(1, 2, 0)
    if not source.flags.c_contiguous:
        source = np.ascontiguousarray(source)
    out = np.empty(source.shape, np.uint8)
    _run(name)(source.reshape(-1), *sizes, *arguments, out.reshape(-1))
    return out.transpose(2, 0, 1)


def _run(name: str) -> Callable[..., None]:
    try:
        return compiler.kernel("pixels", name)
    except Unsupported:
        found: Callable[..., None] = getattr(plain, name)
        return found
