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


def serve(prepare: Callable[[], tuple[Step, dict[str, Any]]]) -> None:
    """Prepare, tell the facts as a line of JSON, and answer each line on stdin, a number of steps, with another.

    prepare  gives the step, and facts: what the driver is to know of this side
    """
    imports = memory.resident()
    step, facts = prepare()
    for _ in range(WARM_UP):
        step()
    print(json.dumps({"imports": imports, **facts}), flush=True)
    for line in sys.stdin:
        steps = int(line)
        start = time.perf_counter()
        for _ in range(steps):
            step()
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "peak": memory.peak()}), flush=True)
