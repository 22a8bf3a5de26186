"""Images of any numbers as bytes that can be looked at, or stored as an image file."""

from __future__ import annotations

from typing import Any

import numpy as np


def as_bytes(image: Any) -> Any:
    """uint8: as it is, or stretched from the least to the greatest of its finite values."""
    if image.dtype == np.uint8:
        return image
    finite = np.isfinite(image)
    low, high = (image[finite].min(), image[finite].max()) if finite.any() else (0, 0)
    with np.errstate(invalid="ignore", over="ignore"):
        part = (image.astype(np.float64) - low) / max(float(high) - float(low), np.finfo(np.float32).tiny)
    return np.rint(np.nan_to_num(part, posinf=1, neginf=0).clip(0, 1) * 255).astype(np.uint8)


def in_colours(image: Any) -> Any:
    """(1 or 3, H, W) of an image (C, H, W): without an alpha channel; of other channels than colours the first."""
    return image[:3] if len(image) in (3, 4) else image[:1]
