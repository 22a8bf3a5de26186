"""The memory plan: blobs whose lives do not overlap lie in the same place.

Note [Lives]: time runs through the forward pass (layer i at time i) and then through the backward
pass (layer i at time 2 L - 1 - i).  A buffer lives from the first time a layer may touch it to the last.
A layer may touch the data of its bottoms and tops in its forward; in its backward those of them that it says
it reads (`Layer.backward_reads`), the diff of a bottom it writes and of a top whose gradient has arrived; and
nothing else.  So activations of a training net live until the last backward that reads them, diffs for two or
three layers, and a test net needs about two blobs at a time.  In place, Split, Flatten and Reshape make several
blobs look at one `Buffer`, which is what is planned here.

What somebody outside may look at after a pass keeps memory of its own: parameters, tops of layers
without bottoms, outputs, losses, diffs that nobody writes, and blobs kept by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netcli.arrays.device import ALIGNMENT, Device
from netcli.arrays.work_space import Calls, Plan, WorkSpace
from netcli.blob import Blob, Buffer
from netcli.layers.base import Layer
from netcli.net.gradients import Backward
from netcli.net.joining import Run


@dataclass
class Life:
    """A buffer, and the times of its first and last use."""

    buffer: Buffer
    first: int
    last: int
    offset: int = 0  # bytes from the start of the arena

    @property
    def size(self) -> int:
        """Bytes, rounded up to the alignment."""
        return -(-self.buffer.nbytes // ALIGNMENT) * ALIGNMENT


@dataclass
class MemoryPlan:
    """What a net's arrays take, in bytes.

    parameters   data of all parameters; gradients: their diffs, where they learn
    activations  data of all other blobs, as if none shared
    diffs        diffs of all other blobs that hold a gradient, as if none shared
    arena        the stretch in which those that share lie; apart: those that do not
    """

    parameters: int = 0
    gradients: int = 0
    activations: int = 0
    diffs: int = 0
    arena: int = 0
    apart: int = 0
    lives: list[Life] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Everything but the solver's history and the layers' work space."""
        return self.parameters + self.gradients + self.arena + self.apart


def make_plan(
    layers: Sequence[Layer],
    backward: Sequence[Backward],
    runs: Sequence[Run],
    kept: Iterable[Blob],
    share: bool,
) -> MemoryPlan:
    """The plan of a net.

    backward  of each layer; a net that never runs backward has none that runs
    runs      what is done for each layer
    kept      blobs with memory of their own
    share     False: all have
    """
    plan = MemoryPlan()
    owned = {id(b.data_buffer): b for layer in layers for b in layer.blobs}
    plan.parameters = sum(b.data_buffer.nbytes for b in owned.values())
    learned = {
        id(b.diff_buffer): b
        for layer, run in zip(layers, backward, strict=True)
        for b, learns in zip(layer.blobs, run.learning, strict=True)
        if run.runs and learns
    }
    plan.gradients = sum(b.diff_buffer.nbytes for b in learned.values())

    mine = {id(buffer) for layer in layers for b in layer.blobs for buffer in (b.data_buffer, b.diff_buffer)}
    apart = mine | {id(buffer) for blob in kept for buffer in (blob.data_buffer, blob.diff_buffer)}
    data, diffs = _data_lives(layers, runs), _diff_lives(runs)
    plan.activations = sum(life.buffer.nbytes for key, life in data.items() if key not in mine)
    plan.diffs = sum(life.buffer.nbytes for key, life in diffs.items() if key not in mine)
    lives = {**data, **diffs}
    plan.lives = [life for key, life in lives.items() if share and key not in apart and life.size]
    plan.apart = plan.activations + plan.diffs - sum(life.buffer.nbytes for life in plan.lives)
    plan.arena = place(plan.lives)
    return plan


class Storage:
    """The memory in which a net's blobs lie.

    shares  whether blobs whose lives do not overlap share it
    lender  of a net that never runs between a forward and a backward of this one: its memory serves, where it suffices

    plan    for the present shapes
    arena   what they share
    """

    def __init__(
        self,
        device: Device,
        layers: Sequence[Layer],
        backward: Sequence[Backward],
        shares: bool,
        lender: Storage | None = None,
    ) -> None:
        self._device, self._layers, self._backward = device, layers, backward
        self.shares = shares
        self._lender = lender
        self.arena: Any = None  # None before it is taken
        self.plan = MemoryPlan()

    def lay_out(self, runs: Sequence[Run], kept: Iterable[Blob]) -> None:
        """Plan for other shapes, runs or blobs that are kept; blobs that have their memory move to where it says."""
        self.plan = make_plan(self._layers, self._backward, runs, kept, self.shares)
        if self.arena is not None:
            self._place(self.arena)

    def take(self) -> None:
        """Take the memory: once."""
        lent = self._lender.arena if self._lender else None
        self._lender = None  # its net is not kept for the sake of its memory
        self._place(lent)

    def _place(self, old: Any) -> None:
        """Give each buffer its place, in the `old` arena where that suffices."""
        arena = old
        if arena is None or arena.size < self.plan.arena:
            arena = self._device.empty(self.plan.arena, np.uint8)
            arena.fill(0)
        for life in self.plan.lives:
            start, buffer = life.offset, life.buffer
            buffer.place(arena[start : start + buffer.nbytes].view(buffer.dtype))
        self.arena = arena

    def leave(self) -> None:
        """Give each buffer memory of its own from now on, with what it holds."""
        for life in self.plan.lives:
            held = life.buffer.array
            if held is not None:  # None: it has outgrown its place, and takes memory when it is looked at
                life.buffer.place(self._device.empty(held.size, held.dtype))
                life.buffer.array[:] = held
        self.plan.lives = []
        self.arena = None
        self.shares = False


def _use(lives: dict[int, Life], buffer: Buffer, time: int) -> None:
    life = lives.setdefault(id(buffer), Life(buffer, time, time))
    life.first, life.last = min(life.first, time), max(life.last, time)


def _data_lives(layers: Sequence[Layer], runs: Sequence[Run]) -> dict[int, Life]:
    lives: dict[int, Life] = {}
    for i, (layer, run) in enumerate(zip(layers, runs, strict=True)):
        for blob in (*run.bottoms, *run.tops):
            _use(lives, blob.data_buffer, i)
        if run.backward.runs:
            reads_bottoms, reads_tops = layer.backward_reads()
            for blob in (*run.bottoms * reads_bottoms, *run.tops * reads_tops):
                _use(lives, blob.data_buffer, 2 * len(runs) - 1 - i)
    return lives


def _diff_lives(runs: Sequence[Run]) -> dict[int, Life]:
    lives: dict[int, Life] = {}
    for i, run in enumerate(runs):
        if run.backward.runs:
            written = [b for b, propagates in zip(run.bottoms, run.backward.propagate, strict=True) if propagates]
            read = [t for t, arrives in zip(run.tops, run.backward.arrives, strict=True) if arrives]
            for blob in (*written, *read):
                _use(lives, blob.diff_buffer, 2 * len(runs) - 1 - i)
    return lives


def place(lives: Sequence[Life]) -> int:
    """Give each life an offset so that no two that overlap in time overlap in place; returns the bytes needed.

    Largest first, each at the lowest gap that takes it: the greedy-by-size rule of Pisarchyk & Lee, "Efficient
    Memory Management for Deep Neural Net Inference", 2020, arXiv:2001.03288.
    """
    order = sorted(lives, key=lambda life: -life.size)
    # first, last, start and end of those placed so far
    placed = np.zeros((4, len(order)), np.int64)
    for n, life in enumerate(order):
        first, last, start, end = placed[:, :n]
        meets = (first <= life.last) & (last >= life.first)
        starts, ends = start[meets], end[meets]
        by_start = np.argsort(starts, kind="stable")
        # The gap before each of them begins where all that start lower have ended.
        before = np.maximum.accumulate(np.concatenate([[0], ends[by_start]]))
        fits = starts[by_start] - before[:-1] >= life.size
        life.offset = int(before[np.argmax(fits)] if fits.any() else before[-1])
        placed[:, n] = life.first, life.last, life.offset, life.offset + life.size
    return int(placed[3].max(initial=0))


def work_space(layers: Sequence[Layer], runs: Sequence[Run], add: bool) -> WorkSpace:
    """What the layers take beside the blobs that are planned: their plans, and blobs of their own.

    add: parameters' gradients are summed over passes
    """
    counted = {
        id(buffer)
        for layer, run in zip(layers, runs, strict=True)
        for blob in (*run.bottoms, *run.tops, *layer.blobs)
        for buffer in (blob.data_buffer, blob.diff_buffer)
    }
    counted.update(map(id, layers))
    found = WorkSpace()
    for layer, run in zip(layers, runs, strict=True):
        if run.forward or run.backward.runs:
            calls = Calls(
                forward=run.forward,
                backward=run.backward.runs,
                data=run.backward.runs and any(run.backward.propagate),
                weights=run.backward.runs and any(map(layer.learns, range(len(layer.blobs)))),
                add=add,
            )
            found = found.beside(_own(layer, calls, counted))
    return found


def _own(layer: Layer, calls: Calls, counted: set[int]) -> WorkSpace:
    """Of a layer, without the buffers and layers that are `counted` already; adds to these."""
    found = WorkSpace()
    for name, value in vars(layer).items():
        for each in _items(value):
            if isinstance(each, Blob):
                buffers = [each.data_buffer]
                if calls.backward and name in layer.own_diffs:
                    buffers.append(each.diff_buffer)
                new = [buffer for buffer in buffers if id(buffer) not in counted]
                counted.update(map(id, new))
                found = found.beside(WorkSpace(sum(buffer.nbytes for buffer in new)))
            elif isinstance(each, Layer) and id(each) not in counted:
                counted.add(id(each))
                found = found.beside(_own(each, calls, counted))
            elif isinstance(each, Plan):
                found = found.beside(each.work_space(layer.plan_calls(calls)))
    return found


def _items(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _items(each)
    else:
        yield value
