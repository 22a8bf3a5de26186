"""What passes of a net take, as a trace of events, which Perfetto and chrome://tracing show."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from netcli.arrays.device import Device
from netcli.net import Net

WORK = "work"  # the row of what the thread that trains does, or asks a card for


@dataclass(frozen=True)
class Span:
    """Something that took time.

    kind      "forward", "backward", "read", "update" and the like
    start     seconds from the first of all
    seconds   that it took
    row       the thread
    number    of the layer, where it is one's
    about     more of it, in words
    """

    name: str
    kind: str
    start: float
    seconds: float
    row: str = WORK
    number: int | None = None
    about: dict[str, str] = field(default_factory=dict)


class Recorder:
    """Marks when a device begins and ends with what it is asked for; its clock is looked at in `spans` alone.

    named: what is asked for has its name for programs that look on, see `Device.named`
    """

    def __init__(self, device: Device, named: bool = True) -> None:
        self._device, self._named = device, named
        self._marked: list[tuple[Span, Any, Any]] = []
        self._read: list[Span] = []
        device.synchronize()  # so that both clocks begin at one moment
        self._origin, self._host_origin = device.mark(), time.perf_counter()

    @contextlib.contextmanager
    def span(self, name: str, kind: str, number: int | None = None, **about: str) -> Iterator[None]:
        """What is asked for while the context lasts; nothing where it ends by a fault."""
        end = self.begin(name, kind, number, **about)
        with self._device.named(f"{name} {kind}") if self._named else contextlib.nullcontext():
            yield
        end()

    def begin(self, name: str, kind: str, number: int | None = None, **about: str) -> Callable[[], None]:
        """The same until the function returned is called."""
        what, start = Span(name, kind, 0, 0, number=number, about=about), self._device.mark()

        def end() -> None:
            self._marked.append((what, start, self._device.mark()))

        return end

    def read(self, name: str, start: float, end: float) -> None:
        """A source has read a batch ahead, from and to these seconds of time.perf_counter; in its own thread."""
        self._read.append(Span(name, "read", start - self._host_origin, end - start, row=f"reads {name}"))

    def watch(self, net: Net) -> contextlib.AbstractContextManager[None]:
        """Record a net's passes, layer by layer, and what its sources read ahead, while the context lasts.

        None of its passes is replayed then.
        """

        # The layers whose forward another one does too.
        joined: list[list[str]] = [[] for _ in net.layers]
        for number, by in enumerate(net.done_by):
            if by != number:
                joined[by].append(net.layers[number].name)

        def layer(number: int, backward: bool) -> contextlib.AbstractContextManager[None]:
            of, about = net.layers[number], {}
            if not backward and joined[number]:
                about["with"] = ", ".join(joined[number])
            return self.span(of.name, "backward" if backward else "forward", number, type=of.type, **about)

        return net.watched(layer, lambda source: partial(self.read, source.name))

    def spans(self) -> list[Span]:
        """All that has ended, in the order of its beginning; waits for the device."""
        between = self._device.between
        found = [
            replace(what, start=between(self._origin, start), seconds=between(start, end))
            for what, start, end in self._marked
        ]
        found += self._read.copy()
        first = min((span.start for span in found), default=0.0)
        # Of two that begin together the longer one holds the other.
        return sorted((replace(s, start=s.start - first) for s in found), key=lambda s: (s.start, -s.seconds))


def trace(title: str, spans: Sequence[Span]) -> str:
    """JSON in Chrome's trace event format: a complete event for each span, in microseconds."""
    rows = list(dict.fromkeys([WORK, *(span.row for span in spans)]))
    events: list[dict[str, Any]] = [_name_of("process_name", 0, title)]
    if len(rows) > 1:
        events += [_name_of("thread_name", row, name) for row, name in enumerate(rows)]
    events += [
        {
            "name": span.name,
            "cat": span.kind,
            "ph": "X",
            "ts": round(span.start * 1e6, 3),
            "dur": round(span.seconds * 1e6, 3),
            "pid": 0,
            "tid": rows.index(span.row),
            "args": span.about,
        }
        for span in spans
    ]
    return json.dumps({"traceEvents": events, "displayTimeUnit": "ms"})


def _name_of(what: str, row: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": 0, "tid": row, "args": {"name": name}}


def title_of(net: Net) -> str:
    """What a trace of a net is called."""
    return f"{net.name or 'net'}, {net.context.device.name}"
