"""Filters that stay: in the layout that an operation wants, made once and kept."""

from __future__ import annotations

from typing import Any

from netcli.arrays.layout import Shape
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Operation, plain
from netcli.arrays.onednn.memory import Kept
from netcli.arrays.onednn.program import Memory, Program


class HeldFilters:
    """The filters of an operation, which are no array of its calls.

    shape: as the operation sees them, with an axis for the groups
    """

    def __init__(self, operation: Operation, shape: Shape) -> None:
        desc = operation.desc(dnnl.ARG_WEIGHTS)
        assert desc is not None
        self._desc, self._shape = desc, shape
        self._kept = Kept(desc.size)

    def memory(self, program: Program) -> Memory:
        """As an argument of a program."""
        return program.kept(self._kept, self._desc)

    def take(self, w: Any) -> None:
        """Make them of an array; of what it holds later nothing is seen."""
        program = Program()
        source = program.seen_as(program.port(plain(w.shape)), plain(self._shape))
        program.reorder(source, self.memory(program))
        program.run(w)
