"""Pinned memory of the host, which a card reads by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.errors import NetcliError

POOLED = 1 << 20  # bytes: CuPy's pool has no larger ones, for it rounds up to powers of two


def pinned(cuda: Any, count: int, dtype: Any) -> Any:
    """A flat array of NumPy's, by `cupy.cuda`; raises NetcliError where there is too little."""
    size = np.dtype(dtype).itemsize * count
    try:
        if size <= POOLED:
            memory = cuda.alloc_pinned_memory(max(1, size))
        else:
            memory = cuda.PinnedMemoryPointer(cuda.PinnedMemory(size, cuda.runtime.hostAllocPortable), 0)
    except cuda.runtime.CUDARuntimeError as fault:
        reason = str(fault).splitlines()[0]
        raise NetcliError(
            f"{size >> 20} MiB of the host's memory can't be had for copies to a card: {reason}"
        ) from None
    return np.ndarray(count, dtype, memory)
