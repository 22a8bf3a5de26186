"""A side's own process: it prepares a step, and then answers each turn with how long its steps took."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from tools.bench import memory

Step = Callable[[], object]
WARM_UP = 2  # steps before the first turn


class Meter:
    """How the process is measured: its memory, of which `held` is now and `peak` at most, and the end of its work."""

    def held(self) -> int:
        return memory.resident()

    def peak(self) -> int:
        return memory.peak()

    def wait(self) -> None:
        """Until all that was asked for is done."""


class CardMeter(Meter):
    """The same of a card.

    free  gives the bytes that are free on it, and those that it has.  While a side is prepared no other one works, so
          that what goes is its own; programs on cards keep what they have taken, so that this is their peak.
    wait  for the card
    """

    def __init__(self, free: Callable[[], tuple[int, int]], wait: Callable[[], object]) -> None:
        self._free, self._wait = free, wait
        self._peak = 0

    def held(self) -> int:
        free, total = self._free()
        return total - free

    def peak(self) -> int:
        self._peak = self._peak or self.held()  # as it was before other sides began
        return self._peak

    def wait(self) -> None:
        self._wait()


def serve(
    prepare: Callable[[], tuple[Step, dict[str, Any]]], meter: Meter | None = None, warm_up: int = WARM_UP
) -> None:
    """Prepare, tell the facts as a line of JSON, and answer each line on stdin, a number of steps, with another.

    prepare  gives the step, and facts: what the driver is to know of this side
    meter    None: of the processor
    warm_up  steps before the first turn
    """
    meter = meter or Meter()
    imports = meter.held()
    step, facts = prepare()
    for _ in range(warm_up):
        step()
    meter.wait()
    meter.peak()
    print(json.dumps({"imports": imports, **facts}), flush=True)
    for line in sys.stdin:
        steps = int(line)
        start = time.perf_counter()
        for _ in range(steps):
            step()
        meter.wait()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "peak": meter.peak()}), flush=True)
