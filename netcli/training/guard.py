"""Ends a run whose loss is no number, and finds where it ceased to be one."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from netcli.arrays.late import is_late
from netcli.errors import NetcliError
from netcli.net import Net
from netcli.training.hooks import Hook, Order
from netcli.training.position import Position

if TYPE_CHECKING:
    from netcli.training.trainer import Trainer

_log = logging.getLogger("netcli")

LOOKS = 20  # iterations; reading a loss costs what a card could have been asked for meanwhile


class Guard(Hook):
    """Raises NetcliError in the first iteration whose loss is nan or infinite, before the weights take its step.

    Caffe goes on, and spends the rest of the run on nothing.  The last snapshot is whole.
    On a card a loss is known when it is read (Note [Late numbers]), which is where it is displayed, before a snapshot,
    and every `LOOKS` iterations; then the first bad one of those since the last look is named.

    stop: False to warn once and go on, as Caffe does.
    rebuild: builds the training net again with a memory for every blob, over the weights of the one given.
    """

    order: ClassVar[Order] = Order.GUARD

    def __init__(self, rebuild: Callable[[Net], Net], stop: bool = True) -> None:
        self.rebuild = rebuild
        self.stop = stop
        self._warned = False
        self._unseen: list[tuple[int, float]] = []  # iterations and their losses
        self._saved: str | None = None  # the last state that this run has written

    def before(self, run: Trainer) -> None:
        self._before = Position.of(run.net)

    def saving(self, run: Trainer, weights: str, state: str) -> None:  # noqa: ARG002
        self._look(run)

    def after(self, run: Trainer) -> None:
        self._look(run)

    def saved(self, run: Trainer, weights: str, state: str) -> None:  # noqa: ARG002
        self._saved = state

    def computed(self, run: Trainer) -> None:
        self._unseen.append((run.iteration, run.loss))
        if not is_late(run.loss) or run.shows() or len(self._unseen) >= LOOKS:
            self._look(run)

    def _look(self, run: Trainer) -> None:
        """At the losses since the last time."""
        unseen, self._unseen = self._unseen, []
        if self._warned:
            return
        bad = next(((at, float(loss)) for at, loss in unseen if not math.isfinite(loss)), None)
        if bad is None:
            return
        iteration, loss = bad
        if not self.stop:
            self._warned = True
            _log.warning("the loss is %g at iteration %d; training goes on as it was told to", loss, iteration)
            return
        by = "" if iteration == run.iteration else f" by iteration {run.iteration}"
        raise NetcliError(
            f"the loss is {loss:g} at iteration {iteration}: {self._cause(run)}{by}; a lower base_lr "
            "or clip_gradients may help" + (f", and --resume {self._saved} goes on from there" if self._saved else "")
        )

    def _cause(self, run: Trainer) -> str:
        """What is not finite first, found by going through the iteration again, layer by layer."""
        for parameter in run.net.learnable:
            if not np.isfinite(parameter.blob.host_data()).all():
                return f"parameter {parameter.index} of layer '{parameter.layer}' is not finite"
        try:
            net = self.rebuild(run.net)
        except (NetcliError, MemoryError) as fault:
            return f"where it began can't be told ({fault})"
        try:
            self._before.seek(net)
            for _ in range(run.solver.param.iter_size):
                if cause := first_bad(net):
                    return cause
        finally:
            net.close()
        return "it did not show again when its batch was repeated"


def first_bad(net: Net) -> str:
    """The first top of a forward pass with an item that is not finite, as a phrase; empty if there is none."""
    for index, layer in enumerate(net.layers):
        net.forward(index, index)
        for name, blob in zip(net.top_names[index], net.tops[index], strict=True):
            if bad := _describe(blob.host_data()):
                return f"'{name}' of layer '{layer.name}' ({layer.type}) is the first blob that is not finite ({bad})"
    return ""


def _describe(data: Any) -> str:
    count = data.size - int(np.isfinite(data).sum())
    return f"{count} of {data.size} items" if count else ""
