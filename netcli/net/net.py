"""Net: layers built from a prototxt, joined by blobs, with a forward and a backward pass."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import numpy as np

from netcli.arrays.ops import Ops
from netcli.arrays.work_space import WorkSpace
from netcli.errors import NetcliError, suggestion
from netcli.layers.base import TRAIN, Context, Layer
from netcli.net import weights
from netcli.net.joining import Division
from netcli.net.memory import MemoryPlan, Storage, work_space
from netcli.net.passes import Passes, Watcher
from netcli.net.rules import net_state
from netcli.net.shapes import Shapes
from netcli.net.sharing import share_trained
from netcli.net.structure import Structure, net_of_state
from netcli.prototxt.lines import Document
from netcli.snapshots.content import Weights


class Net(Structure):
    """A net in one phase.

    document      NetParameter with its lines, upgraded
    phase         TRAIN or TEST
    level         of the net's state; None: as the net says itself
    stages        of the net's state, beside its own
    ops           the bodies to compute with; None: the fastest
    seed          of all draws of its layers
    allow_python  whether Python layers may run code
    keep_blobs    True: every blob keeps memory of its own, so that a program may look at any of them after a
                  pass, change them, run ranges of layers, and set the diffs that a backward pass begins with;
                  or the names of those that do
    shared_with   a net whose parameters the layers of the same names look at, as test nets do
    in_turn       whether each runs whole passes, and never between a forward and a backward of the other: then their
                  blobs lie in the same memory too
    constant      whether the parameters stay but for `load`, so that layers may keep what they make of them; who
                  writes to one otherwise says so by `parameters_changed`
    gradients     whether `backward` will be called; None: in TRAIN, and where the net says force_backward
    dry           build and plan, but take no memory and fill no parameter before `take`

    Raises NetcliError with layer, file and line; all that can be found wrong is found before memory is taken.

    What it consists of is told by `Structure`.
    """

    def __init__(
        self,
        document: Document,
        phase: int,
        *,
        level: int | None = None,
        stages: Iterable[str] = (),
        ops: Ops | None = None,
        dtype: Any = np.float32,
        seed: int = 0,
        allow_python: bool = False,
        keep_blobs: bool | Collection[str] = False,
        shared_with: Net | None = None,
        in_turn: bool = False,
        gradients: bool | None = None,
        constant: bool = False,
        dry: bool = False,
    ) -> None:
        of_state = net_of_state(document, net_state(document.message, phase, level, stages))
        self.phase = phase
        force: bool = of_state.message.force_backward
        self.gradients = (phase == TRAIN or force) if gradients is None else gradients
        self.keep_blobs = keep_blobs
        file = document.lines.file
        folder = os.path.dirname(os.path.abspath(file)) if file else None
        context = Context(
            phase, dtype, seed, ops or Ops(), allow_python=allow_python, folder=folder, gradients=self.gradients
        )
        context.constant = constant
        # A copy of what is written over is what a blob of its own is, but has no place in the memory plan.
        super().__init__(of_state, context, apart=self.gradients and keep_blobs is not True)
        for name in self._named:
            if name not in self.blobs:
                raise NetcliError(
                    f"the net has no blob '{name}'{suggestion(name, self.blobs)}", place=document.lines.place()
                )
        try:
            self._set_up()
            self._shapes = Shapes(self.layers, self._documents, self.bottoms, self.tops)
            self._share(shared_with.layers if shared_with else ())
            self._plan_backward(force)
            shares = keep_blobs is not True
            lender = shared_with._storage if shared_with and in_turn and shares else None
            self._storage: Storage = Storage(self.context.device, self.layers, self._backward, shares, lender)
            weights_of = self._loss_weights
            self._passes = Passes(self.context, self.layers, self._documents, self.tops, weights_of, not shares)
            self._division = Division(self.layers, self.bottoms, self.tops, self._backward)
            self._wants_forward = False
            if shares:
                self.join()
            else:
                self._plan()
            if not dry:
                self.take()
        except BaseException:
            self.close()
            raise

    # -- building

    def take(self) -> None:
        """Take memory and fill the parameters: once, for a net that was built dry; after the net it shares with."""
        # Last layer first: a parameter's owner is the first layer that has it, and its values stay.
        for i in reversed(range(len(self.layers))):
            if i not in self._looks_on:
                self.layers[i].fill()
                weights.set_given_blobs(self.layers[i], self._documents[i])
        self._storage.take()
        self._weigh_kept_losses()

    def join(self) -> None:
        """Let layers do the work of others where nobody looks at the blobs between; see Note [Joined layers].

        For whole passes: with keep_blobs=True ranges of layers want `part` before.
        """
        if not self._division.is_joined:
            names = self.blobs if self.keep_blobs is True else (*self.outputs, *self._named)
            self._division.join([self.blobs[name] for name in names], self._storage.shares)
            self._plan()

    def part(self) -> None:
        """Let each layer do its own work again; the next backward wants a forward before it."""
        if self._division.is_joined:
            self._division.part()
            self._wants_forward = True
            self._plan()

    @property
    def _named(self) -> Collection[str]:
        """The blobs that are kept by name."""
        return self.keep_blobs if isinstance(self.keep_blobs, Collection) else ()

    def _plan(self) -> None:
        """Plan memory for the present shapes, and lay out what the passes run through; anew when either changes."""
        self._passes.lay_out(self._division.runs)
        kept = [self.blobs[name] for name in (*self.outputs, *self._named)]
        kept += [blob for _, blob, _ in self._passes.losses] + self._passes.unwritten
        kept += [blob for bottom, top in zip(self.bottoms, self.tops, strict=True) if not bottom for blob in top]
        self._storage.lay_out(self._division.runs, kept)

    @property
    def done_by(self) -> list[int]:
        """For each layer the number of the one that does its forward: mostly its own; see Note [Joined layers]."""
        return [run.by for run in self._division.runs]

    @property
    def memory(self) -> MemoryPlan:
        """What its arrays take."""
        return self._storage.plan

    # -- running

    def forward(self, start: int = 0, end: int | None = None) -> float:
        """Run layers `start` to `end` (included; None: the last); returns the loss, on a card a `Late` number.

        A part of the layers only makes sense with keep_blobs=True, since others may have used the memory.
        Blobs that were given another shape since the last pass are followed then too.
        """
        stop = len(self.layers) if end is None else end + 1
        with self.context.device.turn:
            if self.keep_blobs is True and self._shapes.differ(start, stop):
                self._reshape(start, stop)
            self._passes.forward(start, stop, self._follow)
            if stop == len(self.layers):
                self.context.passes.value += 1
            if start == 0:
                self._wants_forward = False
            return self._passes.loss(start, stop)

    @contextlib.contextmanager
    def watched(self, layer: Watcher, read: Callable[[Layer], Callable[[float, float], None]]) -> Iterator[None]:
        """Have somebody look on while the context lasts; nothing is replayed then.

        layer  gives what each layer's forward or backward is done within, by its number and whether it is backward
        read   gives what a source calls, in its own thread, when it has read a batch ahead: with the seconds of
               time.perf_counter from and to which that took
        """
        self._passes.watcher = layer
        for source in self.sources.values():
            source.watch_reading(read(source))
        try:
            yield
        finally:
            self._passes.watcher = None
            for source in self.sources.values():
                source.watch_reading(None)

    def backward(self, start: int | None = None, end: int = 0) -> None:
        """Run layers `start` (None: the last) down to `end` backward; parameters' gradients are added."""
        if not self.gradients:
            raise ValueError("this net was built with gradients=False")
        if self._wants_forward:
            raise ValueError("a backward wants a forward before it: the last one was that of joined layers")
        with self.context.device.turn:
            start = len(self.layers) - 1 if start is None else start
            if start == len(self.layers) - 1 and end == 0:
                self._passes.whole_backward()
                return
            if self.keep_blobs is not True:
                self._passes.begin_backward(start, end)
            self._passes.backward(start, end)

    def _weigh_kept_losses(self) -> None:
        """Put each loss's weight where the gradient begins, once: a program may put something else there."""
        if self.keep_blobs is True and self.gradients:
            for _, blob, weight in self._passes.losses:
                blob.diff.fill(weight)

    def clear_diffs(self) -> None:
        """Start the parameters' gradients anew."""
        with self.context.device.turn:
            for parameter in self.learnable:
                parameter.blob.clear_diff()

    def reshape(self) -> None:
        """Let every layer follow its bottoms' shapes, and plan memory anew; `forward` does so by itself."""
        self._reshape(0)

    def _follow(self, i: int, stop: int) -> None:
        """Layer i has given a top another shape in its forward: let the layers above follow, up to the last that runs.

        While only layers without bottoms have run, nothing but their tops is in use, and those lie apart.
        Further up (Filter, Python layers) blobs in the arena hold results of this pass, so that from
        now on each has memory of its own.
        """
        if self._storage.shares and any(self.bottoms[j] for j in range(i + 1)):
            self._storage.leave()
        self._shapes.note(i)
        self._reshape(i + 1, stop if self.keep_blobs is True else None)

    def _reshape(self, first: int, stop: int | None = None) -> None:
        self._shapes.follow(first, len(self.layers) if stop is None else stop)
        self._plan()
        self._weigh_kept_losses()

    # -- its parameters

    def load(self, source: Weights) -> list[str]:
        """Take the parameters of the layers of the same names; returns the names that this net does not have.

        Raises SnapshotError where counts or shapes differ.
        """
        unknown = weights.load(self.layers, source, weights.not_owned(self.layers, self.learnable))
        self.parameters_changed()
        return unknown

    def keep_parameters(self, constant: bool) -> None:
        """Whether the parameters stay, from now on; see `constant`."""
        if constant != self.context.constant:
            self.context.constant = constant
            self._passes.forget()
            for i, layer in enumerate(self.layers):
                if layer.blobs:
                    layer.reshape(self.bottoms[i], self.tops[i])

    def parameters_changed(self) -> None:
        """Somebody has written to parameters of a net that was told that they stay."""
        self._passes.forget()
        for layer in self.layers:
            layer.parameters_changed()

    def share_with(self, other: Net) -> None:
        """Look at another net's parameters from now on, in the layers of the same names; diffs stay apart.

        Raises ShapeError where shapes differ.
        """
        share_trained(self.layers, self._documents, other.layers)
        self.parameters_changed()

    def work_space(self, add: bool = False) -> WorkSpace:
        """What the layers will take beside `memory`, for `netcli summary`; add: gradients are summed over passes."""
        return work_space(self.layers, self._division.runs, add)
