"""Work space: what a plan takes beside the arrays it is given, told without taking it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Calls:
    """Which methods of a plan are called in the passes of a net.

    forward   `forward`
    backward  `backward`, or any of the two below
    data      `backward_data`
    weights   `backward_weights`
    add       with gradients summed into what is there
    """

    forward: bool = True
    backward: bool = False
    data: bool = False
    weights: bool = False
    add: bool = False


@dataclass(frozen=True)
class WorkSpace:
    """In bytes.

    kept     its own, from its first execution on: most of it is what forward leaves to backward
    passing  what it works in while it executes; the next plan has the same memory
    library  what cuDNN's plans work in, in memory of their own, which the next one has too
    """

    kept: int = 0
    passing: int = 0
    library: int = 0

    def beside(self, other: WorkSpace) -> WorkSpace:
        """Of both together."""
        return WorkSpace(self.kept + other.kept, max(self.passing, other.passing), max(self.library, other.library))


@runtime_checkable
class Plan(Protocol):
    """A plan that tells its work space; one that doesn't has none worth mention."""

    def work_space(self, calls: Calls) -> WorkSpace:
        """What these calls will take; no memory is taken, nothing timed or executed."""
