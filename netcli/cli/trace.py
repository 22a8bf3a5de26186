"""A net's passes as a trace of events, which Perfetto and chrome://tracing show."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from netcli.net import Net


@dataclass(frozen=True)
class Span:
    """A layer's forward or backward: in seconds when it began, and how long it took."""

    layer: int
    backward: bool
    start: float
    seconds: float


def trace(net: Net, spans: Sequence[Span]) -> str:
    """JSON in Chrome's trace event format: a complete event for each span, in microseconds.

    What another layer does in a layer's place, or nobody has to do, is left out.
    """
    device = net.context.device.name
    named = {"name": "process_name", "ph": "M", "pid": 0, "tid": 0, "args": {"name": f"{net.name or 'net'}, {device}"}}
    learns = [
        any(needs) or bool(layer.blobs) for layer, needs in zip(net.layers, net.bottom_need_backward, strict=True)
    ]
    events = [
        {
            "name": net.layers[span.layer].name,
            "cat": "backward" if span.backward else "forward",
            "ph": "X",
            "ts": round(span.start * 1e6, 3),
            "dur": round(span.seconds * 1e6, 3),
            "pid": 0,
            "tid": 0,
            "args": {"type": net.layers[span.layer].type},
        }
        for span in spans
        if (learns[span.layer] if span.backward else net.done_by[span.layer] == span.layer)
    ]
    return json.dumps({"traceEvents": [named, *events], "displayTimeUnit": "ms"})
