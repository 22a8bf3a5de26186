"""How many files this process may have open."""

from __future__ import annotations

import resource


def allow(count: int) -> None:
    """Let the process open so many more, as far as the system lets it: what is usual, 1024, is its own to raise."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY:
        wanted = soft + count if hard == resource.RLIM_INFINITY else min(soft + count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
