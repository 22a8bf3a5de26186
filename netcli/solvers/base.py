"""Solver: from summed gradients to a step of the weights, and the history that the next step needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from netcli.arrays.device import CPU
from netcli.arrays.ops import Ops
from netcli.arrays.replay import Replay
from netcli.arrays.varying import Varying
from netcli.errors import NetcliError, SnapshotError
from netcli.net.places import Places
from netcli.solvers import clip, lr_policy, regularise

if TYPE_CHECKING:
    from netcli.net import Parameter

SOLVERS: dict[str, type[Solver]] = {}


def solver(type_name: str) -> Callable[[type[Solver]], type[Solver]]:
    """Enter a class in the table under its `type` in solver prototxts."""

    def enter(cls: type[Solver]) -> type[Solver]:
        cls.type = type_name
        SOLVERS[type_name] = cls
        return cls

    return enter


class Solver:
    """Base of the update rules; for inheriting, not for use.

    An update is, in Caffe's order: clip the gradients to `clip_gradients`, divide by `iter_size`, add the
    weight decay, and take the rule's step: that of `Ops.update` under the class's type.  Gradients are read
    and left as they are (Caffe puts the step in their place).

    param: SolverParameter.
    parameters: those of the net that are learned, in its order; a parameter's rate and decay are
        multiplied with its lr_mult and decay_mult.
    """

    type: ClassVar[str]
    moments: ClassVar[int] = 1  # histories for each parameter: all first ones are stored before all second ones

    def __init__(self, param: Any, parameters: Sequence[Parameter], ops: Ops) -> None:
        lr_policy.check(param)
        if param.iter_size < 1:
            raise NetcliError(f"iter_size is at least 1, got {param.iter_size}", field="iter_size")
        self.check(param)
        self.param = param
        self.parameters = list(parameters)
        self.schedule = lr_policy.Schedule(param)
        self.l1 = regularise.is_l1(param)
        self.device = ops.device
        self._history = [
            self.device.zeros(p.blob.count, p.blob.dtype).reshape(p.blob.shape)
            for _ in range(self.moments)
            for p in self.parameters
        ]
        self._idle = self._find_idle()
        self._plans = [
            ops.update(self.type, p.blob.shape, self.momentum(), param.momentum2, param.delta, p.blob.dtype)
            for p in self.parameters
        ]
        # What varies lies where the plans find it in each update; a rate for each lr_mult.
        self._rates = {p.lr_mult: Varying(device=self.device) for p in self.parameters}
        self._scale = Varying(1.0, device=self.device)
        dtype = self.parameters[0].blob.dtype if self.parameters else np.float32
        self._norm = ops.norm([p.blob.shape for p in self.parameters], dtype)
        self._replay = Replay(self.device, "the solver's step", [p.blob.diff_buffer for p in self.parameters])
        self._places = Places(p.blob for p in self.parameters)
        self._last_norm: Any = None  # where the last update looked at it

    def check(self, param: Any) -> None:
        """Raise NetcliError where the rule can't work with the fields of a SolverParameter."""

    def momentum(self) -> float:
        """The number that `Ops.update` calls the rule's momentum."""
        return float(self.param.momentum)

    def rule_rate(self, iteration: int) -> float:
        """The learning rate the rule works with, before lr_mult; a rule that corrects it does so here."""
        return self.rate(iteration)

    def stands_still(self, decay: float) -> bool:
        """Whether nothing changes for a parameter with rate, gradient and history all 0, and this decay."""
        return decay == 0

    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration, before lr_mult."""
        return self.schedule.rate(iteration)

    def update(self, iteration: int) -> None:
        """Change the weights by the gradients that have been summed in their diffs."""
        with self.device.turn:
            self.set_rate(iteration)
            if self.device is not CPU and self._places.settle():
                self._replay.forget()
            self._replay(self.step)

    def set_rate(self, iteration: int) -> None:
        """Let `step` be that of an iteration: all in it that is not the same each time."""
        rate = self.rule_rate(iteration)
        for lr_mult, varying in self._rates.items():
            varying.value = rate * lr_mult

    def step(self) -> None:
        """Change the weights, at the rate that is set."""
        self._clip()
        for index, parameter in enumerate(self.parameters):
            if not self._idle[index]:
                decay = self.param.weight_decay * parameter.decay_mult
                blob, histories = parameter.blob, self.histories_of(index)
                rate = self._rates[parameter.lr_mult]
                self._plans[index].update(blob.data, blob.diff, histories, rate, decay, self.l1, self._scale)

    def histories_of(self, index: int) -> list[Any]:
        """The histories of one parameter: its first moment, then its second."""
        return self._history[index :: len(self.parameters)]

    @property
    def history(self) -> list[Any]:
        """Caffe's history: one array per parameter, for AdaDelta and Adam followed by a second one of each."""
        return self._history

    @history.setter
    def history(self, arrays: Sequence[Any]) -> None:
        if len(arrays) != len(self._history):
            raise SnapshotError(
                f"holds {len(arrays)} histories, this net's {self.type} solver has {len(self._history)}: "
                "it was made with another net or another type of solver"
            )
        for index, (mine, theirs) in enumerate(zip(self._history, arrays, strict=True)):
            # Caffe's older files write every shape as four numbers, the first ones 1.
            if _stripped(mine.shape) != _stripped(theirs.shape):
                owner = self.parameters[index % len(self.parameters)]
                raise SnapshotError(
                    f"history {index}, of layer '{owner.layer}', holds {theirs.shape}, the net wants {mine.shape}: "
                    "it was made with another net"
                )
        for mine, theirs in zip(self._history, arrays, strict=True):
            self.device.write(mine, np.asarray(theirs.reshape(mine.shape), mine.dtype))
        self._idle = self._find_idle()
        self._replay.forget()

    def _find_idle(self) -> list[bool]:
        """The parameters that an update leaves as they are: frozen layers cost nothing."""
        return [
            p.lr_mult == 0
            and self.stands_still(self.param.weight_decay * p.decay_mult)
            and not any(h.any() for h in self.histories_of(index))
            for index, p in enumerate(self.parameters)
        ]

    def _clip(self) -> None:
        """Set what the gradients are multiplied with; a card's norm stays there, so that nothing waits for it."""
        limit, passes = self.param.clip_gradients, self.param.iter_size
        if limit < 0:
            self._scale.value = 1 / passes
            return
        self._last_norm = norm = self._norm.forward([p.blob.diff for p in self.parameters])
        if self.device is CPU:
            self._scale.value = clip.factor(norm, limit) / passes
        else:
            self._scale.follow(clip.factor_on(self.device.xp, norm, limit) / passes)

    @property
    def clipped(self) -> tuple[float, float] | None:
        """(norm, factor) where the last update clipped; on a card this waits for it."""
        if self._last_norm is None:
            return None
        norm = float(self.device.to_host(self._last_norm))
        factor = clip.factor(norm, self.param.clip_gradients)
        return None if factor == 1.0 else (norm, factor)


def _stripped(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A shape without the ones it begins with."""
    first = next((axis for axis, size in enumerate(shape) if size != 1), len(shape))
    return shape[first:]
