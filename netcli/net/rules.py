"""Which layers a net has in a given state: Caffe's `include` and `exclude` rules.

A NetState is a phase, a level and stages; a rule (NetStateRule) asks for them.  Same choices as
Caffe's Net::FilterNet and Net::StateMeetsRule.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from netcli.errors import PrototxtError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines


def net_state(message: Any, phase: int, level: int | None = None, stages: Iterable[str] = ()) -> Any:
    """The NetState of a net: its own `state`, with this phase, this level (None: its own) and these stages more."""
    state = schema.NetState()
    state.CopyFrom(message.state)
    state.phase = phase
    if level is not None:
        state.level = level
    state.stage.extend(stages)
    return state


def meets(state: Any, rule: Any) -> bool:
    """Whether a state has everything that a rule asks for."""
    return not (
        (rule.HasField("phase") and rule.phase != state.phase)
        or (rule.HasField("min_level") and state.level < rule.min_level)
        or (rule.HasField("max_level") and state.level > rule.max_level)
        or not set(rule.stage) <= set(state.stage)
        or set(rule.not_stage) & set(state.stage)
    )


def is_included(layer: Any, state: Any) -> bool:
    """Whether a layer (LayerParameter) is in a net of this state: any rule that is met decides."""
    if layer.include:
        return any(meets(state, rule) for rule in layer.include)
    return not any(meets(state, rule) for rule in layer.exclude)


def select_layers(document: Document, state: Any) -> Document:
    """The net (NetParameter) with only those layers that belong to it in this state, which it records."""
    message = schema.NetParameter()
    message.CopyFrom(document.message)
    del message.layer[:]
    message.state.CopyFrom(state)
    places: list[Lines] = []
    for layer in document.children("layer"):
        if layer.message.include and layer.message.exclude:
            fault = PrototxtError("has both include and exclude rules; a layer may have one kind", field="exclude")
            raise fault.in_layer(layer.message.name, layer.message.type).at(layer.lines.find(fault.field))
        if is_included(layer.message, state):
            message.layer.add().CopyFrom(layer.message)
            places.append(layer.lines)
    lines = document.lines
    return Document(message, Lines(lines.file, lines.line, {**lines.fields, "layer": places}))
