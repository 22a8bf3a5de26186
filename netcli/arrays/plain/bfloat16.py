"""Rounding to bfloat16: a sign, 8 bits of exponent and 7 of fraction, the upper half of a float32."""

from __future__ import annotations

from typing import Any

import numpy as np


def rounded(x: Any) -> Any:
    """A float32 array of the nearest bfloat16 numbers; of two equally near the one whose last bit is 0."""
    result = np.array(x, np.float32)
    bits = result.view(np.uint32)
    # Half of the last place that stays, less one where that place is even, carries exactly where it should.
    half = bits >> 16
    half &= 1
    half += 0x7FFF
    bits += half
    bits &= 0xFFFF0000
    np.copyto(result, x, where=np.isnan(x))  # to which a carry may give another exponent
    return result
