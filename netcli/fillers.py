"""First values of parameters: Caffe's fillers."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.layout import Shape


def check(filler: Any, shape: Shape) -> None:
    """Raise where a FillerParameter can't fill an array of this shape."""


def fill(filler: Any, data: Any, generator: np.random.Generator) -> None:
    """Fill `data` by a FillerParameter (None: zeros)."""
    if filler is None or filler.type == "constant":
        data[...] = 0 if filler is None else filler.value
