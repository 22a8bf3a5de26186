"""What a running training does when the system signals it: Caffe's effects, and SIGTERM.

    SIGINT   stop     (ctrl-C; a second one ends the program at once)
    SIGTERM  stop     (a batch system's end of time)
    SIGHUP   snapshot (and go on; what the end of a terminal's session sends)

A stop ends with a snapshot and exit status 128 + the signal's number, as shells have it.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

from netcli.training.hooks import Hook, Order

if TYPE_CHECKING:
    from netcli.training.trainer import Trainer

AT_ONCE = "stopped at once by a second SIGINT, without a snapshot"
EFFECTS = ("stop", "snapshot", "none")


class Signals(Hook):
    """Takes signals from `begin` to `end`, and lets the run know at its next `poll`.

    effects: by the signal's name, one of EFFECTS; those not named keep Caffe's.
    """

    order: ClassVar[Order] = Order.WRITE

    def __init__(self, effects: Mapping[str, str] | None = None) -> None:
        self.effects = {"SIGINT": "stop", "SIGTERM": "stop", "SIGHUP": "snapshot", **(effects or {})}
        self._pending: list[str] = []
        self._interrupted = False
        self._before: dict[signal.Signals, Any] = {}

    def begin(self, run: Trainer) -> None:  # noqa: ARG002
        for name in self.effects:
            number = signal.Signals[name]
            self._before[number] = signal.signal(number, self._take)

    def end(self, run: Trainer) -> None:  # noqa: ARG002
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def poll(self, run: Trainer) -> None:
        while self._pending:
            name = self._pending.pop(0)
            if self.effects[name] == "stop":
                run.stopped = run.stopped or name
            elif self.effects[name] == "snapshot":
                run.wants_snapshot = True

    def _take(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        name = signal.Signals(number).name
        if name == "SIGINT" and self.effects[name] == "stop":
            if self._interrupted:  # whoever presses ctrl-C twice waits neither for the batch nor for the snapshot
                raise KeyboardInterrupt(AT_ONCE)
            self._interrupted = True
        self._pending.append(name)
