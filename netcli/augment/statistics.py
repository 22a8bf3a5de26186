"""The colours of many images: means, deviations and principal axes, in a file of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from netcli.errors import DataError, NetcliError
from netcli.prototxt import parse, schema

# The channels' covariance over ImageNet's training images, as cuda-convnet2 gives it in `noise.py`'s input: standard
# deviations along three axes, pixels in 0..255.  Rows: axes, the largest first; columns: B G R.
IMAGENET_STD = np.array([121.7801, 37.0939, 19.7208])
IMAGENET_AXES = np.array([[-0.59200, -0.57618, -0.56351], [0.70120, -0.02354, -0.71258], [0.39731, -0.81698, 0.41796]])


SAME = 1 - 1e-6  # magnitudes from this part of the largest on count as equal to it


def principal_axes(covariance: Any) -> tuple[Any, Any]:
    """Eigenvalues (n,), the largest first, and eigenvectors (n, n), a row each, of a covariance (n, n) of channels.

    Of the two signs an eigenvector may have, it has that which makes its entry of largest magnitude positive, or the
    first of several such.  No eigenvalue is below 0.
    """
    values, columns = np.linalg.eigh(np.asarray(covariance, np.float64))
    axes = columns.T[::-1]
    size = np.abs(axes)
    leading = (size >= SAME * size.max(axis=1, keepdims=True)).argmax(axis=1)
    return np.maximum(values[::-1], 0), axes * np.sign(axes[np.arange(len(axes)), leading])[:, None]


def color_statistics(mean: Any, covariance: Any, images: int, pixels: int) -> Any:
    """The message ColorStatistics of channels with this mean (n,) and covariance (n, n)."""
    values, axes = principal_axes(covariance)
    return schema.message_class("ColorStatistics")(
        mean=np.asarray(mean).tolist(),
        std=np.sqrt(np.diag(covariance)).tolist(),
        eigenvalue=values.tolist(),
        eigenvector=axes.ravel().tolist(),
        images=images,
        pixels=pixels,
    )


def read_color_statistics(path: str) -> Any:
    """The message ColorStatistics in a file of text; raises DataError, with the line where it can be told."""
    try:
        text = Path(path).read_text()
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) else "it is no text"
        raise DataError(f"{path} can't be read: {reason}") from None
    try:
        found = parse(text, schema.message_class("ColorStatistics"), path).message
    except NetcliError as fault:
        raise DataError(str(fault)) from None
    axes, channels = len(found.eigenvalue), len(found.mean)
    if not axes or len(found.eigenvector) != axes * channels or axes != channels:
        raise DataError(
            f"{path} has {channels} means, {axes} eigenvalues and {len(found.eigenvector)} numbers of eigenvectors; "
            "of n channels there are n, n and n * n"
        )
    return found
