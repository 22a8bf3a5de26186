"""Inputs given beside the layers (`input`, `input_dim`, `input_shape`) made an Input layer."""

from __future__ import annotations

from typing import Any

from netcli.errors import PrototxtError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines
from netcli.prototxt.upgrade.moving import move

OLD_AXES = 4  # input_dim holds num, channels, height and width of each input


def needs_input_upgrade(net: Any) -> bool:
    """Whether the net names inputs."""
    return len(net.input) > 0


def upgrade_input(document: Document) -> None:
    """Put an Input layer first.  Inputs without any shape, as old caffemodels have them, are only left out."""
    net, lines = document.message, document.lines
    count = len(net.input)
    layer = Document(schema.LayerParameter(name="input", type="Input"), Lines(*_start(lines)))
    shapes = layer.message.input_param.shape
    if net.input_shape:
        if len(net.input_shape) not in (1, count):
            raise PrototxtError(
                f"names {count} inputs and {len(net.input_shape)} input_shapes; give one for each",
                place=lines.place("input_shape"),
            )
        shapes.extend(net.input_shape)
    elif net.input_dim:
        if len(net.input_dim) != OLD_AXES * count:
            raise PrototxtError(
                f"names {count} inputs and {len(net.input_dim)} values of input_dim; give {OLD_AXES} for each",
                place=lines.place("input_dim"),
            )
        for i in range(count):
            shapes.add().dim.extend(net.input_dim[OLD_AXES * i : OLD_AXES * (i + 1)])
    if shapes:
        move(document, "input", layer, "top")
        shape_lines = lines.fields.get("input_shape") or lines.fields.get("input_dim", [])[::OLD_AXES]
        layer.lines.fields["input_param"] = [Lines(*_start(lines), {"shape": list(shape_lines)})]
        others = list(net.layer)
        del net.layer[:]
        net.layer.append(layer.message)
        net.layer.extend(others)
        lines.fields.setdefault("layer", []).insert(0, layer.lines)
    for name in ("input", "input_shape", "input_dim"):
        net.ClearField(name)
        lines.fields.pop(name, None)


def _start(lines: Lines) -> tuple[str | None, int | None]:
    """File and line of the first input."""
    first = lines.child("input")
    return first.file, first.line
