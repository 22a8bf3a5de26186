"""Steps that move an image's pixels: upside down; turned, sheared and zoomed by one affine map; or blurred."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from netcli.arrays import pixels
from netcli.arrays.layout import Shape
from netcli.augment.draws import happens, uniform
from netcli.augment.steps import Step, check_bounds, check_order
from netcli.errors import NetcliError, ShapeError


def warp_steps(param: Any) -> Iterator[Step]:
    """Those that a TransformationParameter asks for."""
    if param.vertical_mirror:
        yield _upside_down()
    if param.HasField("affine_param"):
        _check_affine(param.affine_param)
        yield _affine(param.affine_param)
    if param.HasField("blur_param"):
        yield _blur(param.blur_param)


def _upside_down() -> Step:
    def apply(image: Any, words: Any) -> Any:
        return image[:, ::-1] if happens(words[0], 0.5) else image

    return Step("vertical_mirror", 1, apply, lambda words, _shape: "upside down" if happens(words[0], 0.5) else "")


def _check_affine(param: Any) -> None:
    field = "transform_param.affine_param"
    if not 0 < param.min_scale <= param.max_scale:
        raise NetcliError(
            f"min_scale {param.min_scale:g} must be above 0 and at most max_scale {param.max_scale:g}",
            field=f"{field}.min_scale",
        )
    check_bounds(param, field, prob=(0, 1), max_rotation=(0, 360), max_shear=(0, 89), max_translate=(0, 1))


def _affine(param: Any) -> Step:
    def drawn(words: Any) -> tuple[float, float, float, float, float]:
        """Turn and shear in degrees, zoom, and shifts as fractions of width and height."""
        turn = uniform(words[1], -param.max_rotation, param.max_rotation)
        shear = uniform(words[2], -param.max_shear, param.max_shear)
        zoom = math.exp(uniform(words[3], math.log(param.min_scale), math.log(param.max_scale)))
        right, down = (uniform(words[4 + i], -param.max_translate, param.max_translate) for i in range(2))
        return turn, shear, zoom, right, down

    def apply(image: Any, words: Any) -> Any:
        if not happens(words[0], param.prob):
            return image
        channels, height, width = image.shape
        fill = np.full(channels, param.fill or 0, np.float32)
        turn, shear, zoom, right, down = drawn(words)
        return pixels.warp(image, inverse_map(turn, shear, zoom, right * width, down * height, height, width), fill)

    def describe(words: Any, _shape: Shape) -> str:
        if not happens(words[0], param.prob):
            return ""
        turn, shear, zoom, right, down = drawn(words)
        parts = []
        if param.max_rotation:
            parts.append(f"turned {turn:+.0f} degrees")
        if param.max_shear:
            parts.append(f"sheared {shear:+.0f} degrees")
        if param.min_scale != param.max_scale or param.min_scale != 1:
            parts.append(f"zoomed {zoom:.2f}")
        if param.max_translate:
            parts.append(f"moved {right:+.0%} {down:+.0%}")
        return ", ".join(parts)

    def shape(image: Shape, _words: Any) -> Shape:
        if len(param.fill) not in (0, 1, image[0]):
            raise ShapeError(
                f"{len(param.fill)} fill for images of {image[0]} channels", field="transform_param.affine_param.fill"
            )
        return image

    return Step("affine_param", 2, apply, describe, shape)


def inverse_map(turn: float, shear: float, zoom: float, right: float, down: float, height: int, width: int) -> Any:
    """Where a pixel (x, y) of the result comes from, (2, 3): the inverse of turn * shear * zoom about the middle.

    turn, shear in degrees, clockwise on the screen; right, down in pixels
    """
    t, s = math.radians(turn), math.tan(math.radians(shear))
    forward = zoom * np.array([[math.cos(t), -math.sin(t)], [math.sin(t), math.cos(t)]]) @ np.array([[1, s], [0, 1]])
    back = np.linalg.inv(forward)
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    return np.column_stack([back, middle - back @ (middle + np.array([right, down]))])


def _blur(param: Any) -> Step:
    field = "transform_param.blur_param"
    check_order(param, field, "min_sigma", "max_sigma", 0, 100)
    check_bounds(param, field, prob=(0, 1))

    def sigma(words: Any) -> float:
        return uniform(words[1], param.min_sigma, param.max_sigma) if happens(words[0], param.prob) else 0.0

    def apply(image: Any, words: Any) -> Any:
        width = sigma(words)
        return pixels.blur(image, width) if width > 0 else image

    def describe(words: Any, _shape: Shape) -> str:
        width = sigma(words)
        return f"blurred by {width:.1f} pixels" if width > 0 else ""

    return Step("blur_param", 1, apply, describe)
