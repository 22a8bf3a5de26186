"""How a program runs a net: parts of it, with calls between its layers, by any thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netcli.net import Net
from netcli.pycaffe.untouched import Untouched

Callback = Callable[[int], object]


class Passes:
    """Those of one net.

    Each list has what is called with a layer's number before or after its part of a pass.
    """

    def __init__(self, engine: Net) -> None:
        self._engine = engine
        self._device = engine.context.device
        self._last = len(engine.layers) - 1
        self.untouched: Untouched | None = None  # of a net that nobody trains
        self.before_forward: list[Callback] = []
        self.after_forward: list[Callback] = []
        self.before_backward: list[Callback] = []
        self.after_backward: list[Callback] = []

    @property
    def _is_watched(self) -> bool:
        """Whether somebody wants to be called between layers."""
        return bool(self.before_forward or self.after_forward or self.before_backward or self.after_backward)

    def train_forward(self) -> float:
        """The forward of a solver's own iteration, of all layers; returns the loss, which may be late."""
        if self._is_watched:
            return self.forward(0, self._last)
        with self._device.current():
            with self._device.turn:
                self._engine.join()
            return self._engine.forward()

    def train_backward(self) -> None:
        """And its backward."""
        if self._is_watched:
            self.backward(self._last, 0)
            return
        with self._device.current():
            self._engine.backward()

    def forward(self, start: int, end: int) -> float:
        """Run layers by their numbers; returns the loss, for which a card is waited for."""
        engine = self._engine
        with self._device.current():
            with self._device.turn:
                engine.part()
                if self.untouched is not None:
                    self.untouched.tell()
            if self.before_forward or self.after_forward:
                loss = 0.0
                for i in range(start, end + 1):
                    _call(self.before_forward, i)
                    loss += engine.forward(i, i)
                    _call(self.after_forward, i)
            else:
                loss = engine.forward(start, end)
            if end < self._last:
                engine.context.passes.value += 1  # a part of the net draws anew in each pass, too
            return float(loss)

    def backward(self, start: int, end: int) -> None:
        """Run layers by their numbers backward."""
        with self._device.current():
            with self._device.turn:
                self._engine.part()
            if not (self.before_backward or self.after_backward):
                self._engine.backward(start, end)
                return
            for i in range(start, end - 1, -1):
                _call(self.before_backward, i)
                self._engine.backward(i, i)
                _call(self.after_backward, i)


def _call(callbacks: Sequence[Callback], layer: int) -> None:
    for run in callbacks:
        run(layer)
