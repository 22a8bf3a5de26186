"""Ways to execute one operation, and the choice among them by time (Note [Timing] in arrays/choices.py).

A way is a layout of the activations and one of oneDNN's implementations for it.  Reorders to and from the layout are
part of it, and count.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from netcli.arrays.choices import Choices
from netcli.arrays.machine import cpu_name
from netcli.arrays.onednn.descriptors import Layout, Operation
from netcli.arrays.onednn.library import library
from netcli.arrays.onednn.memory import scratch
from netcli.arrays.onednn.program import Program
from netcli.arrays.threads import thread_count
from netcli.arrays.unsupported import Unsupported

COLD = 2.5  # a way whose first execution takes so much longer than the best's is not executed again
HOPELESS = 1.3  # the same of the second
GAIN = 0.95  # of the time of the first way: another is taken only where it does with less
AGREE = 1.05  # a time is believed when it was seen twice, up to so much
MOST_LOOKS = 6
ENOUGH = 0.05  # seconds of looks at one operation, after which there are no more than two at each way
LOOK = 0.0003  # seconds, to be had by executing short ones more than once


def ways(make: Callable[[Layout], Operation], layouts: Mapping[str, Layout]) -> Iterator[tuple[str, Operation]]:
    """Names and operations, the preferred first: in each layout each implementation worth a look."""
    seen: list[str] = []
    for name, layout in layouts.items():
        try:
            first = make(layout)
        except Unsupported:
            continue
        instructions = first.implementation.rpartition(":")[2]
        seen = [each for each in seen if "gemm" in each]  # a matrix product is as fast in either layout
        for operation in first.implementations():
            implementation = operation.implementation
            if _worth_a_look(implementation, instructions, seen):
                seen.append(implementation)
                yield f"{name} {implementation}", operation


def _worth_a_look(implementation: str, instructions: str, seen: Sequence[str]) -> bool:
    """Plain loops, code for older instructions than those of the first, and code for any window are never the fastest.

    The last where there is code for this kind of window (`jit_1x1`, `jit_dw`).
    """
    code, _, found = implementation.rpartition(":")
    if implementation in seen or code in ("ref", "simple") or found not in (instructions, "jit"):
        return False
    return code != "jit" or not any(each.startswith("jit_") for each in seen)


def named(way: str, make: Callable[[Layout], Operation], layouts: Mapping[str, Layout]) -> Operation | None:
    """The operation that `ways` gives under a name."""
    layout, _, _ = way.partition(" ")
    if layout not in layouts:
        return None
    return next((operation for name, operation in ways(make, {layout: layouts[layout]}) if name == way), None)


def choose(
    choices: Choices,
    key: str,
    make: Callable[[Layout], Operation],
    layouts: Mapping[str, Layout],
    by_rule: Callable[[], str],
    measure: Callable[[], tuple[str, bool]] | None,
) -> Operation:
    """The operation that is known to be best for a key, else the one that `measure` finds, or the rule if that is None.

    by_rule, measure: give the name of a way; measure also whether its time is to be believed.
    """
    machine = _machine()
    for way in choices.known(machine, key):
        operation = named(way, make, layouts)
        if operation is not None:
            choices.take(key, way)
            return operation
    way = by_rule()
    if measure is not None and choices.may_measure:
        with choices.measuring():
            found, believed = measure()
        scratch().release()  # which is as large as the hungriest way that was tried
        if named(found, make, layouts) is not None:  # with fewer images there may be others
            way = found
        choices.keep(machine, key, way, on_disk=believed)
    choices.take(key, way)
    operation = named(way, make, layouts)
    assert operation is not None
    return operation


def least_time(programs: Mapping[str, Program], arrays: Sequence[Any]) -> tuple[str, bool]:
    """The name of the program that takes the least time on these arrays, which are written to.

    They run in turn, and the least time of each counts, since what else the machine does hits all of them, and not
    always.  To be taken before the first, another must win by the clock and by the processors' time: the clock knows
    of a thread that has nothing to do, the processors' time does not know of another process.  And it must win twice.
    Where it does not, or no time is seen twice, it is the first, and the second result is False.
    """
    cold = {name: _look(program, arrays, 1) for name, program in programs.items()}
    warm = {name: _look(programs[name], arrays, 1) for name in _within(COLD, cold)}
    looks = {name: _Looks() for name in _within(HOPELESS, warm)}
    times = min(max(1, round(LOOK / min(seconds for _, seconds in warm.values()))), 20)
    first, *others = looks
    if not others:
        return first, True
    _look_at(looks, programs, arrays, times)
    better = [name for name in others if looks[name].beats(looks[first])]
    if not better:
        return first, looks[first].believed
    found = min(better, key=lambda name: looks[name].busy[0])
    again = {first: _Looks(), found: _Looks()}
    _look_at(again, programs, arrays, times)
    return (found, True) if again[found].beats(again[first]) else (first, False)


def _look_at(looks: Mapping[str, _Looks], programs: Mapping[str, Program], arrays: Sequence[Any], times: int) -> None:
    """Look at these in turn, until all times are believed."""
    end = time.perf_counter() + ENOUGH
    for number in range(MOST_LOOKS):
        if number >= 2 and (all(seen.believed for seen in looks.values()) or time.perf_counter() > end):
            break
        for name, seen in looks.items():
            seen.add(_look(programs[name], arrays, times))


class _Looks:
    """Times of one way, the least first: by the processors' time and by the clock."""

    def __init__(self) -> None:
        self.busy: list[float] = []
        self.clock: list[float] = []

    def add(self, look: tuple[float, float]) -> None:
        for seen, seconds in zip((self.busy, self.clock), look, strict=True):
            seen.append(seconds)
            seen.sort()

    @property
    def believed(self) -> bool:
        return len(self.busy) > 1 and self.busy[1] <= AGREE * self.busy[0]

    def beats(self, other: _Looks) -> bool:
        both = self.believed and other.believed
        return both and self.busy[0] < GAIN * other.busy[0] and self.clock[0] < GAIN * other.clock[0]


def _within(factor: float, looks: Mapping[str, tuple[float, float]]) -> list[str]:
    """The names of those that are not so much slower than the fastest."""
    limit = factor * min(busy for busy, _ in looks.values())
    return [name for name, (busy, _) in looks.items() if busy <= limit]


def _look(program: Program, arrays: Sequence[Any], times: int) -> tuple[float, float]:
    """Seconds of an execution: of processors, and by the clock."""
    busy, clock = time.process_time(), time.perf_counter()
    for _ in range(times):
        program.run(*arrays)
    return (time.process_time() - busy) / times, (time.perf_counter() - clock) / times


def _machine() -> str:
    """What times depend on beside the operation."""
    lib = library()
    return f"oneDNN {lib.version}, {_cpu_name()}, {lib.isa}, threads: {thread_count()}"


_cpu_name = functools.cache(cpu_name)
