"""Which layers run backward, to which bottoms, and which diffs hold a gradient.

The choices are Caffe's (Net::Init): a layer runs backward when something below it learns and it leads
to a loss; a bottom gets a diff when something below it learns, unless `propagate_down` says otherwise;
what only feeds bottoms that get none is left out; `force_backward` asks for everything.  Beyond that
a layer all of whose tops' diffs would be zero is left out: it would compute zeros.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netcli.errors import ShapeError
from netcli.net.graph import Graph, Node, placed


@dataclass
class Backward:
    """What one layer does in a backward pass.

    runs        whether it takes part
    propagate   for each bottom: whether it writes its diff
    arrives     for each top: whether somebody has written its diff by then; if not, it reads as zeros
    learning    for each parameter: whether its gradient is wanted
    """

    runs: bool
    propagate: list[bool]
    arrives: list[bool]
    learning: list[bool]


def plan_backward(graph: Graph, learning: Sequence[Sequence[bool]], force: bool, strict: bool) -> list[Backward]:
    """A Backward for each layer.

    learning: for each layer, which of its parameters learn (lr_mult is not 0)
    force:    the net's force_backward
    strict:   refuse a loss that would have to pass a gradient to its labels; else such a gradient is zero
    """
    wanted, needs = _from_below(graph, learning)
    _from_the_loss(graph, wanted, needs)
    if force:
        needs = [True] * len(needs)
        wanted = [
            [w or _has_gradient(node, j) for j, w in enumerate(of)]
            for node, of in zip(graph.nodes, wanted, strict=True)
        ]
        learning = [[not node.cls.statistics] * len(of) for node, of in zip(graph.nodes, learning, strict=True)]
    plans: dict[int, Backward] = {}
    for i in reversed(range(len(graph.nodes))):
        node = graph.nodes[i]
        arrives = []
        for weight, reader in zip(node.loss_weights, node.readers, strict=True):
            if reader is None:  # under force_backward a program may set the diffs of outputs
                arrives.append(weight != 0 or force)
            else:
                arrives.append(weight != 0 or plans[reader[0]].propagate[reader[1]])
        runs = needs[i] and any(arrives)
        if runs and strict:
            _refuse_labels(node, wanted[i])
        propagate = [runs and w and _has_gradient(node, j) for j, w in enumerate(wanted[i])]
        runs = runs and (any(propagate) or any(learning[i]))
        plans[i] = Backward(runs, propagate, arrives, list(learning[i]))
    return [plans[i] for i in range(len(graph.nodes))]


def _has_gradient(node: Node, bottom: int) -> bool:
    without = node.cls.no_gradient
    return without is not None and bottom not in without and bottom - len(node.bottoms) not in without


def _from_below(graph: Graph, learning: Sequence[Sequence[bool]]) -> tuple[list[list[bool]], list[bool]]:
    """Downward in the file: for each layer, which bottoms something learns below, and whether it or they learn."""
    learns = [False] * len(graph.blob_names)  # whether something learns at or below this blob
    wanted, needs = [], []
    for node, own in zip(graph.nodes, learning, strict=True):
        below = [learns[b] for b in node.bottoms]
        needs.append(any(below) or any(own))
        wanted.append(list(node.document.message.propagate_down) or below)
        if needs[-1]:
            for top in node.tops:
                learns[top] = True
    return wanted, needs


def _from_the_loss(graph: Graph, wanted: list[list[bool]], needs: list[bool]) -> None:
    """Upward: take out what leads to no loss, and what only feeds bottoms that want no diff.

    Caffe also takes out a loss whose top another layer reads without wanting its diff; here it stays.
    """
    under_loss: set[int] = set()
    unwanted: set[int] = set()
    for i in reversed(range(len(graph.nodes))):
        node = graph.nodes[i]
        leads, useless = False, True
        for top, weight in zip(node.tops, node.loss_weights, strict=True):
            leads |= weight != 0 or top in under_loss
            useless &= weight == 0 and top in unwanted
        if (needs[i] and useless) or not leads:
            needs[i] = False
            wanted[i] = [False] * len(node.bottoms)
        if leads:
            under_loss.update(node.bottoms)
        unwanted.update(b for b, w in zip(node.bottoms, wanted[i], strict=True) if not w)


def _refuse_labels(node: Node, wanted: Sequence[bool]) -> None:
    """Raise where a gradient is wanted through a loss's label, or through a layer that has none at all."""
    if not (node.cls.is_loss or node.cls.no_gradient is None):
        return
    for j, is_wanted in enumerate(wanted):
        if is_wanted and not _has_gradient(node, j):
            name = node.document.message.bottom[j]
            with placed(node.document):
                raise ShapeError(
                    f"has no gradient for its bottom '{name}', below which something learns; "
                    "give propagate_down: false for that bottom",
                    field="bottom",
                )
