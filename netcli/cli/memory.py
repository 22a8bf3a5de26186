"""What a net, or a solver with its nets, will take of memory, told before any is taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from netcli.arrays.machine import resident
from netcli.cli import table
from netcli.layers.batches import BatchLayer
from netcli.net import Net
from netcli.prototxt.lines import Document
from netcli.solvers import solver_types


@dataclass(frozen=True)
class Part:
    """key: in JSON; name: for people; nbytes: at the peak; note: behind the size."""

    key: str
    name: str
    nbytes: int
    note: str = ""


def parts(net: Net, solver: Document | None, tests: Sequence[Net]) -> list[Part]:
    """What is resident at the peak, a part each; of a solver with its history and the nets that it tests.

    The program and its libraries are as large as they are now, with the code that they generated for these nets.
    """
    plan = net.memory
    work = net.work_space(add=solver is not None and solver.message.iter_size > 1)
    of_tests = [test.work_space() for test in tests]
    activations = "activations" + (" and their gradients" if plan.diffs else "")
    alone, together = plan.activations + plan.diffs, plan.arena + plan.apart
    note = f"({table.size_of(alone)} if each had its own place)" if alone > together else ""
    kept = "kept for the gradients" if net.gradients else "the layers' own"
    # A net that is tested lies in the memory of the one that is trained, where it finds room there.
    arenas = sum(test.memory.arena for test in tests if test.memory.arena > plan.arena)
    in_tests = arenas + sum(test.memory.apart + _ahead(test) for test in tests)
    found = [
        Part("parameters", "parameters", plan.parameters),
        Part("gradients", "gradients", plan.gradients),
        *_history(net, solver),
        Part("activations", activations, together, note),
        Part("kept", kept, work.kept),
        # All nets of a run work in the same.
        Part("work_space", "work space", max(each.passing for each in (work, *of_tests))),
        Part("batches_ahead", "batches made ahead", _ahead(net)),
        Part("test_nets", f"test net{'s' * (len(tests) > 1)}", in_tests + sum(each.kept for each in of_tests)),
        Part("program", "program and libraries, about", resident()),
    ]
    return [part for part in found if part.nbytes]


def _history(net: Net, solver: Document | None) -> list[Part]:
    if solver is None or not net.gradients:
        return []
    name = solver.message.type
    count = sum(parameter.blob.count for parameter in net.learnable)
    nbytes = solver_types()[name].moments * count * int(np.dtype(net.context.dtype).itemsize)
    return [Part("history", f"{name}'s history", nbytes)]


def _ahead(net: Net) -> int:
    return sum(layer.ahead_nbytes for layer in net.layers if isinstance(layer, BatchLayer))


def lines(found: Sequence[Part]) -> list[str]:
    """A line for each part, and their sum."""
    total = sum(part.nbytes for part in found)
    cells = [(part.name, table.size_of(part.nbytes)) for part in found]
    rows = table.lines(("", ""), [*cells, ("memory at the peak", table.size_of(total))], left=1)[1:]
    return [f"{row} {part.note}".rstrip() for row, part in zip(rows, [*found, Part("", "", 0)], strict=True)]
