"""Joining: a layer does the work of the next one too, where both together cost less.

Note [Joined layers]: convolution and ReLU, or BatchNorm, Scale and ReLU, are three passes over memory as layers and
one as an operation.  Which pairs there are is the layers' affair (`Layer.absorb`); here is decided where a pair may be
joined: the next layer is the only reader of a layer's only top, either both run backward or neither, and nobody may
look at the blob between them.  Where the next layer reads others too, as a sum does, these become bottoms of the first.
A layer that is absorbed keeps its name, its parameters and its shapes, but has nothing to do; the blob between takes no
memory.  Results are the same within rounding, and what is not a number still shows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from netcli.blob import Blob
from netcli.layers.absorbing import Absorbed, Chance
from netcli.layers.base import Layer
from netcli.net.gradients import Backward

WRITES_DIFFS = "Python"  # a type whose backward may write to its tops' diffs, whatever else it is told


@dataclass
class Run:
    """What is done for one layer in the passes.

    bottoms, tops   the blobs that its verbs are given; none where another layer does all of its work
    forward         whether its own forward runs
    backward        as the plan of the gradients has it, or not at all
    by              the number of the layer that does its forward: its own, or of the one that has absorbed it
    """

    bottoms: list[Blob]
    tops: list[Blob]
    forward: bool
    backward: Backward
    by: int


class Division:
    """Who does what in a net: at first each layer its own work.

    runs: what is done for each layer
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        bottoms: Sequence[Sequence[Blob]],
        tops: Sequence[Sequence[Blob]],
        backward: Sequence[Backward],
    ) -> None:
        self._layers = layers
        self._graph = bottoms, tops, backward
        self.runs = alone(*self._graph)
        self.is_joined = False

    def join(self, kept: Collection[Blob], share: bool) -> None:
        """Let layers do the work of others.

        kept: blobs that somebody may look at;  share: others' diffs may be one memory
        """
        self.runs = join(self._layers, *self._graph, kept)
        self.is_joined = True
        if share:
            pass_on(self._layers, self.runs)
        self._reshape(self._joined())

    def part(self) -> None:
        """Let each layer do its own work again."""
        joined = self._joined()
        for i in joined:
            self._layers[i].release()
        self._reshape(joined)
        self.runs = alone(*self._graph)
        self.is_joined = False

    def _joined(self) -> set[int]:
        """The layers that do another's work too."""
        return {run.by for i, run in enumerate(self.runs) if run.by != i}

    def _reshape(self, joined: Collection[int]) -> None:
        bottoms, tops, _ = self._graph
        for i in joined:
            self._layers[i].reshape(bottoms[i], tops[i])


def alone(bottoms: Sequence[Sequence[Blob]], tops: Sequence[Sequence[Blob]], backward: Sequence[Backward]) -> list[Run]:
    """What is done for each layer where each does its own work."""
    return [
        Run(list(bottom), list(top), True, plan, i)
        for i, (bottom, top, plan) in enumerate(zip(bottoms, tops, backward, strict=True))
    ]


def join(
    layers: Sequence[Layer],
    bottoms: Sequence[Sequence[Blob]],
    tops: Sequence[Sequence[Blob]],
    backward: Sequence[Backward],
    kept: Collection[Blob],
) -> list[Run]:
    """What is done for each layer, those that can be absorbed by the one before.

    kept: blobs that somebody may look at
    """
    runs = alone(bottoms, tops, backward)
    looked_at = {id(blob) for blob in kept}
    writer: dict[int, int] = {}  # of each blob, as far as the layers go: the layer whose run writes it last
    writes = Counter(
        id(blob) for layer, top in zip(layers, tops, strict=True) if layer.type != "Dropout" for blob in top
    )
    for j, following in enumerate(runs):
        if following.bottoms and len(following.tops) == 1:
            # The last one there is can have all of the others' results.
            i = max(writer.get(id(blob), -1) for blob in following.bottoms)
            if i >= 0 and _is_free(runs[i], following, looked_at):
                _absorb(layers, runs[i], following, layers[j].reads_top and writes[id(following.tops[0])] > 1)
        for blob in tops[j]:
            writes[id(blob)] -= layers[j].type != "Dropout"
            writer[id(blob)] = j if following.tops else following.by
    return runs


def _is_free(leader: Run, following: Run, looked_at: Collection[int]) -> bool:
    between, after = leader.tops, following.tops[0]
    if len(between) != 1 or between[0] not in following.bottoms or leader.backward.runs != following.backward.runs:
        return False
    return between[0] is after or id(between[0]) not in looked_at


def _absorb(layers: Sequence[Layer], leader: Run, following: Run, is_written_over: bool) -> None:
    """Let the leader do what it can of the next layer's work.

    is_written_over: a later layer writes over the top, and the backward of this one reads what that has written there,
        as in Caffe; but for Dropout, where it comes to the same
    """
    runs = following.backward.runs
    chance = Chance(
        backward=runs,
        whole=not runs or (all(leader.backward.propagate) and not is_written_over),
        in_place=following.bottoms == following.tops,
    )
    absorbed = layers[leader.by].absorb(layers[following.by], chance)
    if absorbed is Absorbed.NOTHING:
        return
    following.forward, following.by = False, leader.by
    if absorbed is Absorbed.FORWARD:
        return
    leader.bottoms = [*leader.bottoms, *(blob for blob in following.bottoms if blob is not leader.tops[0])]
    leader.tops = following.tops
    leader.backward = replace(leader.backward, arrives=following.backward.arrives)
    following.backward = Backward(False, [], [], [])
    following.bottoms, following.tops = [], []


def pass_on(layers: Sequence[Layer], runs: Sequence[Run]) -> None:
    """Let diffs be their tops' own memory where a sum only hands them on.

    Not where the layer below works in place: its backward would write over what the other bottoms are to find.
    """
    writer: dict[int, int] = {}
    for j, (layer, run) in enumerate(zip(layers, runs, strict=True)):
        if run.backward.runs and len(run.tops) == 1:
            layer.passed_on = [
                wanted and layer.passes_on(i) and _only_reads(layers, runs, writer.get(id(blob)))
                for i, (blob, wanted) in enumerate(zip(run.bottoms, run.backward.propagate, strict=True))
            ]
            for blob, passed in zip(run.bottoms, layer.passed_on, strict=True):
                if passed:
                    blob.share_diff(run.tops[0])
        writer.update((id(blob), j) for blob in run.tops)


def _only_reads(layers: Sequence[Layer], runs: Sequence[Run], i: int | None) -> bool:
    """Whether the backward of layer i leaves the diffs of its tops as they are."""
    if i is None or layers[i].type == WRITES_DIFFS:
        return False
    bottoms = {id(blob.diff_buffer) for blob in runs[i].bottoms}
    return bottoms.isdisjoint(id(blob.diff_buffer) for blob in runs[i].tops)
