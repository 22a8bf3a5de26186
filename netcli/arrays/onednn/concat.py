"""Arrays joined along an axis: each copied to or from its part of the whole.

oneDNN's own concatenation is as fast, but knows one direction only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Any

from netcli.arrays.layout import Shape
from netcli.arrays.onednn.descriptors import accept, activation
from netcli.arrays.onednn.program import Program


class Concat:
    """See `Ops.concat`."""

    def __init__(self, shapes: Sequence[Shape], axis: int, dtype: Any) -> None:
        self.shapes, self.axis = shapes, axis
        sizes = [shape[axis] for shape in shapes]
        self.y_shape = (*shapes[0][:axis], sum(sizes), *shapes[0][axis + 1 :])
        accept(dtype, *shapes)
        # (place, size) along the axis
        self.parts = [(end - size, size) for end, size in zip(accumulate(sizes), sizes, strict=True)]
        self._forward_program = self._make_forward()

    def _make_forward(self) -> Program:
        program = Program()
        xs = [program.port(activation(shape)) for shape in self.shapes]
        y = program.output(activation(self.y_shape))
        for x, part in zip(xs, self.parts, strict=True):
            program.reorder(x, program.part(y, self.axis, *part))
        return program

    @cached_property
    def _backward_programs(self) -> list[Program]:
        """One for each array, for some may not be wanted."""
        programs = []
        for shape, part in zip(self.shapes, self.parts, strict=True):
            program = Program()
            dy, dx = program.port(activation(self.y_shape)), program.output(activation(shape))
            program.reorder(program.part(dy, self.axis, *part), dx)
            programs.append(program)
        return programs

    def forward(self, xs: Sequence[Any], y: Any) -> None:
        self._forward_program.run(*xs, y)

    def backward(self, dy: Any, dxs: Sequence[Any]) -> None:
        for program, dx in zip(self._backward_programs, dxs, strict=True):
            if dx is not None:
                program.run(dy, dx)
