"""A stopwatch."""

from __future__ import annotations

import time


class Timer:
    """Milliseconds between `start` and `stop`, or since `start` while it runs."""

    def __init__(self) -> None:
        self._started: float | None = None
        self._seconds = 0.0

    def start(self) -> None:
        self._started = time.perf_counter()

    def stop(self) -> None:
        if self._started is not None:
            self._seconds, self._started = time.perf_counter() - self._started, None

    @property
    def ms(self) -> float:
        self.stop()
        return self._seconds * 1e3
