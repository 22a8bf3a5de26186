"""Numbers for JSON, which has none that are not finite."""

from __future__ import annotations

import math
from typing import Any


def finite(value: Any) -> Any:
    """The same dicts and lists with None for nan and the infinities."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
