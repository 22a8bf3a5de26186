"""First values of parameters: Caffe's fillers.

Each draws from the generator it is given, in Caffe's order of the items, and in the precision of the array.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from netcli.arrays.device import CPU
from netcli.arrays.layout import Shape, count_of
from netcli.blob import Blob
from netcli.errors import NetcliError, suggestion
from netcli.prototxt.fork_fields import refuse_fork_fields

FAN_IN, FAN_OUT, AVERAGE = 0, 1, 2  # VarianceNorm in caffe.proto


def check(filler: Any, shape: Shape, field: str | None = None) -> None:
    """Raise NetcliError where a FillerParameter can't fill an array of this shape.

    field: the path of the filler below its layer, such as "convolution_param.weight_filler".
    """
    if filler is None:
        return
    refuse_fork_fields(filler, field)
    fault = _fault(filler, shape)
    if fault is not None:
        message, name = fault
        raise NetcliError(message, field=None if field is None else f"{field}.{name}")


def _fault(filler: Any, shape: Shape) -> tuple[str, str] | None:
    """What is wrong, and in which field."""
    kind = filler.type
    if kind not in FILLERS:
        return f"there is no filler '{kind}'{suggestion(kind, FILLERS)}", "type"
    if kind == "gaussian":
        return _gaussian_fault(filler, shape)
    if filler.sparse != -1:
        return f"sparse goes with the gaussian filler only, not with '{kind}'", "sparse"
    if kind == "uniform" and not filler.min <= filler.max:
        return f"a uniform filler needs min <= max, got min {filler.min:g} and max {filler.max:g}", "min"
    if kind in ("xavier", "msra", "positive_unitball") and not shape:
        return f"the {kind} filler needs at least one axis, the parameter has none", "type"
    if kind == "bilinear" and (len(shape) != 4 or shape[2] != shape[3]):
        return f"the bilinear filler needs 4 axes and square kernels, the parameter is {shape}", "type"
    return None


def _gaussian_fault(filler: Any, shape: Shape) -> tuple[str, str] | None:
    first = shape[0] if shape else 0
    if not -1 <= filler.sparse <= first:
        return (
            f"sparse is {filler.sparse}; it is the number of items along axis 0 of {shape} that are not zero, "
            f"on average: 0 to {first}"
        ), "sparse"
    if not filler.std > 0:
        return f"a gaussian filler needs a std above 0, got {filler.std:g}", "std"
    return None


def fill(filler: Any, data: Any, generator: np.random.Generator) -> None:
    """Fill `data` by a FillerParameter that `check` let pass (None: zeros)."""
    if filler is None:
        data.fill(0)
    else:
        FILLERS[filler.type](filler, data, generator)


def fill_blob(filler: Any, blob: Blob, generator: np.random.Generator) -> None:
    """Fill a blob's data, the same on every device: a card's are made here and copied."""
    if blob.device is CPU:
        fill(filler, blob.data, generator)
    else:
        values = np.empty(blob.shape, blob.dtype)
        fill(filler, values, generator)
        blob.set_data(values)


def fan(shape: Shape, variance_norm: int) -> float:
    """What the spread of xavier and msra is divided by: count / first axis, count / second axis, or their mean.

    These are the inputs and outputs of one item of a convolution's filters.  For the weights of InnerProduct,
    (num_output, inputs), count / second axis is not the number of outputs reached; Caffe does the same.
    """
    count = count_of(shape)
    fan_in = count // shape[0]
    fan_out = count // shape[1] if len(shape) > 1 else count
    return {FAN_IN: fan_in, FAN_OUT: fan_out, AVERAGE: (fan_in + fan_out) / 2}[variance_norm]


def _draw(draw: Callable[..., Any], data: Any, scale: float, shift: float) -> None:
    """Draws times `scale` plus `shift`, without a second array where the order in memory is Caffe's."""
    if data.flags.c_contiguous:
        draw(dtype=data.dtype, out=data)
    else:
        data[...] = draw(data.shape, dtype=data.dtype)
    data *= scale
    data += shift


def _constant(filler: Any, data: Any, _generator: np.random.Generator) -> None:
    data.fill(filler.value)


def _uniform(filler: Any, data: Any, generator: np.random.Generator) -> None:
    _draw(generator.random, data, filler.max - filler.min, filler.min)


def _gaussian(filler: Any, data: Any, generator: np.random.Generator) -> None:
    _draw(generator.standard_normal, data, filler.std, filler.mean)
    if filler.sparse >= 0:
        # As many non-zeros as `sparse`, on average, for each index along the other axes.
        data *= generator.random(data.shape, dtype=np.float32) < filler.sparse / data.shape[0]


def _positive_unitball(_filler: Any, data: Any, generator: np.random.Generator) -> None:
    _draw(generator.random, data, 1, 0)
    data /= data.sum(tuple(range(1, data.ndim)), keepdims=True)


def _xavier(filler: Any, data: Any, generator: np.random.Generator) -> None:
    """Glorot & Bengio, "Understanding the difficulty of training deep feedforward neural networks", AISTATS 2010."""
    bound = math.sqrt(3 / fan(data.shape, filler.variance_norm))
    _draw(generator.random, data, 2 * bound, -bound)


def _msra(filler: Any, data: Any, generator: np.random.Generator) -> None:
    """He, Zhang, Ren & Sun, "Delving Deep into Rectifiers", ICCV 2015, arXiv:1502.01852."""
    _draw(generator.standard_normal, data, math.sqrt(2 / fan(data.shape, filler.variance_norm)), 0)


def _bilinear(_filler: Any, data: Any, _generator: np.random.Generator) -> None:
    """Weights that interpolate: for a Deconvolution with one filter to a channel that enlarges its bottom."""
    size = data.shape[-1]
    half = math.ceil(size / 2)
    centre = (size - 1) / (2 * half)
    line = 1 - np.abs(np.arange(size) / half - centre)
    data[...] = np.outer(line, line)


FILLERS: dict[str, Callable[[Any, Any, np.random.Generator], None]] = {
    "constant": _constant,
    "uniform": _uniform,
    "gaussian": _gaussian,
    "positive_unitball": _positive_unitball,
    "xavier": _xavier,
    "msra": _msra,
    "bilinear": _bilinear,
}
