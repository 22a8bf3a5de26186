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
from netcli.arrays.onednn.program import Program
from netcli.arrays.ops import Unsupported
from netcli.arrays.threads import thread_count

HOPELESS = 1.3  # a way that takes so much longer than the best at the first look is not looked at again
GAIN = 0.95  # of the time of the first way: another is taken only where it does with less
AGREE = 1.05  # a time is believed when it was seen twice, up to so much
MOST_LOOKS = 8
LOOK = 0.0003  # seconds, to be had by executing short ones more than once


def ways(make: Callable[[Layout], Operation], layouts: Mapping[str, Layout]) -> Iterator[tuple[str, Operation]]:
    """Names and operations, the preferred first: in each layout each implementation worth a look."""
    for name, layout in layouts.items():
        seen = set()
        try:
            first = make(layout)
        except Unsupported:
            continue
        instructions = first.implementation.rpartition(":")[2]
        for operation in first.implementations():
            implementation = operation.implementation
            if implementation not in seen and _worth_a_look(implementation, instructions):
                seen.add(implementation)
                yield f"{name} {implementation}", operation


def _worth_a_look(implementation: str, instructions: str) -> bool:
    """Plain loops, and code for older instructions than those of the first, are never the fastest."""
    found = implementation.rpartition(":")[2]
    return not implementation.startswith(("ref", "simple")) and found in (instructions, "jit")


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
    if measure is not None and choices.timing:
        found, believed = measure()
        if named(found, make, layouts) is not None:  # with fewer images there may be others
            way = found
        choices.keep(machine, key, way, on_disk=believed)
    choices.take(key, way)
    operation = named(way, make, layouts)
    assert operation is not None
    return operation


def least_time(programs: Mapping[str, Program], arrays: Sequence[Any]) -> tuple[str, bool]:
    """The name of the program that takes the least time on these arrays, which are written to.

    They run in turn, and the least time of each counts: what else the machine does hits all of them, and not always.
    Where it hits so often that no time is seen twice, it is the first, and the second result is False.
    """
    for program in programs.values():
        program.run(*arrays)
    looks = {name: [_seconds(program, arrays, 1)] for name, program in programs.items()}
    least = min(seen[0] for seen in looks.values())
    times = min(max(1, round(LOOK / least)), 20)
    looks = {name: [] for name, seen in looks.items() if seen[0] <= HOPELESS * least}
    for _ in range(MOST_LOOKS if len(looks) > 1 else 0):
        for name, seen in looks.items():
            seen.append(_seconds(programs[name], arrays, times))
            seen.sort()
        if all(map(_believed, looks.values())):
            break
    first, *_ = looks
    if len(looks) == 1:
        return first, True
    found = min(looks, key=lambda name: looks[name][0])
    if not (_believed(looks[first]) and _believed(looks[found])):
        return first, False
    return found if looks[found][0] < GAIN * looks[first][0] else first, True


def _believed(seen: Sequence[float]) -> bool:
    """Whether the least of some times, which come first, was seen twice."""
    return len(seen) > 1 and seen[1] <= AGREE * seen[0]


def _seconds(program: Program, arrays: Sequence[Any], times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        program.run(*arrays)
    return (time.perf_counter() - start) / times


def _machine() -> str:
    """What times depend on beside the operation."""
    lib = library()
    return f"oneDNN {lib.version}, {_cpu_name()}, {lib.isa}, threads: {thread_count()}"


_cpu_name = functools.cache(cpu_name)
