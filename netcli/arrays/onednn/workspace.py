"""What oneDNN's forward leaves to its backward where it has more to leave than its results: its workspace."""

from __future__ import annotations

from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Operation
from netcli.arrays.onednn.memory import Kept
from netcli.arrays.onednn.program import Memory, Program


class Workspace:
    """That of a forward operation, in memory of the plan's; empty where it has none."""

    def __init__(self, forward: Operation) -> None:
        desc = forward.desc(dnnl.ARG_WORKSPACE)
        self._kept = None if desc is None else (Kept(desc.size), desc)

    def argument(self, program: Program) -> dict[int, Memory]:
        """As an output of forward and an input of backward, in programs of either."""
        return {} if self._kept is None else {dnnl.ARG_WORKSPACE: program.kept(*self._kept)}
