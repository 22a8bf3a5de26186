"""Work done by several threads, its results in the order of what was asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from netcli.arrays.threads import usable_cpus

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # blocks for each thread that are under way or wait for their turn


def in_blocks(
    work: Callable[[list[Item]], Result], items: Iterable[Item], block: int, threads: int | None = None
) -> Generator[Result, None, None]:
    """work(items[:block]), work(items[block : 2 * block]), ... in this order.

    work     is done by `threads` at once, by default as many as there are processors; what it raises is raised here
    items    are taken from by this thread alone, a few blocks ahead
    """
    threads = threads or usable_cpus()
    left = iter(items)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="netcli records")
    try:
        waiting: deque[Future[Result]] = deque()
        while taken := list(islice(left, block)):
            waiting.append(pool.submit(work, taken))
            if len(waiting) >= AHEAD * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
