"""Which pixel of one blob lies over which of another, and the Crop layer that lines them up.

A map is (axis, scale, shift): coordinate i lies over coordinate scale * i + shift of what it is mapped to.  The axes
after `axis`, that of the channels, have coordinates; it is None for a map that changes none.  Scale and shift are
numbers, or arrays of a value for each axis, or of one for all.  Layers are the `Function`s of net_spec.

Beyond pycaffe's: settings may stand in pooling_param too; Clip and Swish pass coordinates through; every path is
walked once; and blobs that lie over each other in all axes can be cropped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from netcli.pycaffe.net_spec import Function, Top, layers

Map = tuple[Any, Any, Any]  # axis, scale, shift

IDENTITY: Map = (None, 1, 0)
PASS_THROUGH_LAYERS = [
    *("AbsVal", "BatchNorm", "Bias", "BNLL", "Clip", "Dropout", "Eltwise", "ELU", "Exp", "Log", "LRN", "MVN"),
    *("Power", "PReLU", "ReLU", "Scale", "Sigmoid", "Split", "Swish", "TanH", "Threshold"),
]
CHANNELS, SPATIAL = 1, 2  # axes, where a layer names none
LEGACY = {f"{name}_{axis}" for name in ("kernel", "stride", "pad") for axis in "hw"}


class UndefinedMapException(Exception):  # noqa: N818
    """A layer that gives no map of coordinates."""


class AxisMismatchException(Exception):  # noqa: N818
    """Maps of different axes."""


def conv_params(fn: Function) -> tuple[Any, Any, Any, Any]:
    """Axis of the channels, and arrays of stride, extent of the dilated kernel, and pad, of a layer with a window.

    Raises AssertionError for kernel_h and the like, and UndefinedMapException where there is no kernel_size.
    """
    own = "pooling_param" if fn.type_name == "Pooling" else "convolution_param"
    given = fn.params.get(own, fn.params)
    legacy = sorted(LEGACY & set(given))
    if legacy:
        raise AssertionError(f"crop knows no {', '.join(legacy)} of {fn.type_name}; write kernel_size, stride and pad")
    if "kernel_size" not in given:
        raise UndefinedMapException(f"{fn.type_name} without kernel_size has no map of coordinates")
    kernel, stride, pad, dilation = (
        np.array(given.get(name, default), ndmin=1)
        for name, default in (("kernel_size", 1), ("stride", 1), ("pad", 0), ("dilation", 1))
    )
    return given.get("axis", CHANNELS), stride, (kernel - 1) * dilation + 1, pad


def crop_params(fn: Function) -> tuple[Any, Any]:
    """First axis that a Crop layer crops, and the array of its offsets."""
    given = fn.params.get("crop_param", fn.params)
    return given.get("axis", SPATIAL), np.array(given.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> Map:
    """The map from a layer's bottoms to its tops; raises UndefinedMapException for a type that has none."""
    if fn.type_name in PASS_THROUGH_LAYERS:
        return IDENTITY
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, extent, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (extent - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, extent, pad = conv_params(fn)
        return axis, stride, (extent - 1) / 2 - pad
    raise UndefinedMapException(f"{fn.type_name} has no map of coordinates")


def compose(base_map: Map, next_map: Map) -> Map:
    """The map of `next_map` and then `base_map`; raises AxisMismatchException where their axes differ."""
    base_axis, base_scale, base_shift = base_map
    next_axis, next_scale, next_shift = next_map
    if None not in (base_axis, next_axis) and base_axis != next_axis:
        raise AxisMismatchException(
            f"coordinates begin after axis {base_axis} in one map, after {next_axis} in the other"
        )
    axis = next_axis if base_axis is None else base_axis
    return axis, base_scale * next_scale, base_scale * next_shift + base_shift


def inverse(coord_map: Map) -> Map:
    """The map the other way."""
    axis, scale, shift = coord_map
    return axis, 1 / scale, -shift / scale


def coord_map_from_to(top_from: Top, top_to: Top) -> Map:
    """The map between two tops, by way of the nearest blob that both are made from.

    All ways from a top to such a blob are taken to give the same map.  Raises RuntimeError where there is none that
    layers with maps lead to.
    """
    from_maps = dict(_walk(top_from))
    for top, to_map in _walk(top_to):
        if top in from_maps:
            return compose(to_map, inverse(from_maps[top]))
    raise RuntimeError("these tops are made from no blob in common by layers that map coordinates")


def _walk(start: Top) -> Iterator[tuple[Top, Map]]:
    """`start` and the tops it is made from, nearest first, each with its map to start; not beyond undefined ones."""
    seen = {start}
    frontier: deque[tuple[Top, Map]] = deque([(start, IDENTITY)])
    while frontier:
        top, to_start = frontier.popleft()
        yield top, to_start
        # A Crop's second bottom gives a size and no coordinates.
        bottoms = top.fn.inputs[:1] if top.fn.type_name == "Crop" else top.fn.inputs
        try:
            onward = compose(to_start, coord_map(top.fn)) if bottoms else IDENTITY
        except UndefinedMapException:
            continue
        fresh = [bottom for bottom in bottoms if bottom not in seen]
        seen.update(fresh)
        frontier.extend((bottom, onward) for bottom in fresh)


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop layer of `top_from` to the size of `top_to`, with the offset that lays one over the other.

    Raises AssertionError where no offset does: their scales differ, or it would be negative or no whole number.
    """
    axis, scale, shift = coord_map_from_to(top_from, top_to)
    scales, shifts = np.atleast_1d(scale), np.atleast_1d(shift)
    if (scales != 1).any():
        raise AssertionError(f"can't crop to another scale: it is {scales.tolist()}")
    if (shifts > 0).any():
        raise AssertionError(f"can't crop by a negative offset: it is {(-shifts).tolist()}")
    if (np.round(shifts) != shifts).any():
        raise AssertionError(f"can't crop by parts of a pixel: the offset is {(-shifts).tolist()}")
    first = (CHANNELS if axis is None else axis) + 1
    cropped: Top = layers.Crop(top_from, top_to, crop_param={"axis": first, "offset": [int(-each) for each in shifts]})
    return cropped
