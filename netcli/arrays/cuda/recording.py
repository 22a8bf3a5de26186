"""What a card's stream was asked for, as a CUDA graph.

Note [Memory of recordings]: what work takes and gives back while it is recorded, CuPy's results above all, lies at the
same place in each replay.  So it must be nobody else's between: what is asked for eagerly, and other recordings, may
come between any two of its replays.  A recording takes blocks from the card's pool, gives them to the work again and
again, and keeps them as long as it lasts; what the work has kept lasts longer, if need be.  (A pool of CuPy's over the
card's would do the same, but lose for good a block of which the work has kept a part.)
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

UNIT = 512  # bytes, of which blocks are multiples
ROOM = 2  # times what is wanted: the largest block that serves


class Recording:
    """Some work, recorded; called, it is done on the stream.  Raises RuntimeError where it can't be recorded."""

    def __init__(self, cupy: Any, stream: Any, pool: Any, work: Callable[[], None]) -> None:
        self._stream = stream
        self._memory = _Memory(cupy.cuda, pool)
        with cupy.cuda.using_allocator(self._memory.take):
            stream.begin_capture()
            try:
                work()
            except BaseException as fault:
                with contextlib.suppress(Exception):  # the capture was broken by what is raised
                    stream.end_capture()
                if isinstance(fault, cupy.cuda.memory.OutOfMemoryError):
                    raise RuntimeError("the card has too little memory to keep what it works in") from None
                raise
            self._graph = stream.end_capture()
        self._graph.upload(stream)

    def __call__(self) -> None:
        self._graph.launch(self._stream)


class _Memory:
    """What a recording works in."""

    def __init__(self, cuda: Any, pool: Any) -> None:
        self._cuda, self._pool = cuda, pool
        self._free: list[Any] = []  # blocks that the work has given back

    def take(self, nbytes: int) -> Any:
        """As an allocator of CuPy's: the smallest block that serves."""
        if not nbytes:
            return self._pool.malloc(0)
        wanted = -(-nbytes // UNIT) * UNIT
        serving = [at for at, block in enumerate(self._free) if wanted <= block.mem.size <= ROOM * wanted]
        if serving:
            block = self._free.pop(min(serving, key=lambda at: self._free[at].mem.size))
        else:
            block = self._pool.malloc(nbytes)
        owner = _Lease(self._free, block)
        return self._cuda.MemoryPointer(self._cuda.UnownedMemory(block.ptr, block.mem.size, owner, block.device_id), 0)


class _Lease:
    """A block that an array has; when that is gone, it is given back."""

    __slots__ = ("_block", "_free")

    def __init__(self, free: list[Any], block: Any) -> None:
        self._free, self._block = free, block

    def __del__(self) -> None:
        self._free.append(self._block)
