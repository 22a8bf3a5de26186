"""Times in words."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A time as a person says it: "8 s", "2 min 05 s", "1 h 20 min", "3 d 4 h"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"
