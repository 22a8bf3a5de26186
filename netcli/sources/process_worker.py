"""What a worker process does: see `processes.py`, which starts it."""

from __future__ import annotations

import os
import pickle
import sys
from queue import SimpleQueue
from threading import Thread
from typing import Any


def main() -> None:
    """Take the work and then its blocks from stdin, hand the results back to what stdout was."""
    results = os.dup(1)
    os.dup2(2, 1)  # so that nothing that a library prints comes among them
    work = pickle.load(sys.stdin.buffer)
    blocks: SimpleQueue[Any] = SimpleQueue()
    # Always taken, so that who asks never waits for who waits for them to take a result.
    Thread(target=_take, args=(blocks,), daemon=True).start()
    result = None  # it is ready
    while True:
        content = pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
        try:
            _write(results, len(content).to_bytes(8, "little"))
            _write(results, content)
        except BrokenPipeError:
            os._exit(0)
        result = work(blocks.get())


def _take(blocks: SimpleQueue[Any]) -> None:
    try:
        while True:
            blocks.put(pickle.load(sys.stdin.buffer))
    except (EOFError, pickle.UnpicklingError):  # who asked has ended, perhaps amid a sentence
        os._exit(0)


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]
