"""The gradients of filters and biases, as convolution and inner product have them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Desc, Operation
from netcli.arrays.onednn.program import Memory, Program
from netcli.arrays.work_space import WorkSpace


class WeightsGradient:
    """One program for each choice of what is wanted, made when first asked for: most nets ask for one.

    operation: gives both gradients.
    inputs: declares x and dy, the first arrays of a call, as the arguments of the operation.  It must not hold
        the plan: in a circle of references a plan, and the arrays it looks at, would outlive its last use.
    w: the filters' layout as an array, and the same memory as the operation sees it.
    b: the biases' layout, or None.
    """

    def __init__(
        self,
        operation: Operation,
        inputs: Callable[[Program], dict[int, Memory]],
        w: tuple[Desc, Desc],
        b: Desc | None,
    ) -> None:
        self.operation, self.inputs, self.w, self.b = operation, inputs, w, b
        self._programs: dict[tuple[bool, bool, bool], Program] = {}

    def run(self, x: Any, dy: Any, dw: Any, db: Any, add: bool) -> None:
        wanted = (dw is not None, db is not None, add)
        program = self._programs.get(wanted)
        if program is None:
            program = self._programs[wanted] = self.program(*wanted)
        program.run(x, dy, *[gradient for gradient in (dw, db) if gradient is not None])

    def work_space(self, add: bool) -> WorkSpace:
        """Of both gradients."""
        return self.program(True, self.b is not None, add).work_space()

    def program(self, w_wanted: bool, b_wanted: bool, add: bool) -> Program:
        """What computes the gradients that are wanted."""
        program = Program()
        inputs = self.inputs(program)
        # The operation computes both; what is not wanted goes to scratch memory.
        as_array, as_argument = self.w
        dw = program.output(as_array, add=add) if w_wanted else program.temporary(as_array)
        outputs = {dnnl.ARG_DIFF_WEIGHTS: program.seen_as(dw, as_argument)}
        if self.b is not None:
            outputs[dnnl.ARG_DIFF_BIAS] = program.output(self.b, add=add) if b_wanted else program.temporary(self.b)
        program.execute(self.operation, inputs, outputs, add=add)
        return program
