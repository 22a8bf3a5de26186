"""What a card's stream was asked for, as a CUDA graph.

Note [Memory of recordings]: what work takes and gives back while it is recorded, CuPy's results above all, lies at the
same place in each replay.  So it must be nobody else's between: what is asked for eagerly, and other recordings, may
come between any two of its replays.  A recording takes blocks from the card's pool by a pool of its own, which gives
them to the work again and again, and keeps them as long as it lasts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any


class Recording:
    """Some work, recorded; called, it is done on the stream.  Raises RuntimeError where it can't be recorded."""

    def __init__(self, cupy: Any, stream: Any, pool: Any, work: Callable[[], None]) -> None:
        self._stream = stream
        self._blocks: list[Any] = []

        def take(nbytes: int) -> Any:
            self._blocks.append(pool.malloc(nbytes))
            return self._blocks[-1]

        own = cupy.cuda.MemoryPool(take)
        with cupy.cuda.using_allocator(own.malloc):
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
        own.free_all_blocks()  # which are kept here, and not by a pool that is gone
        self._graph.upload(stream)

    def __call__(self) -> None:
        self._graph.launch(self._stream)
