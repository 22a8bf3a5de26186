"""Inputs beside the layers (`input`, `input_shape` or `input_dim`), made a layer of type Input."""

from __future__ import annotations

import logging
from typing import Any

from netcli.errors import PrototxtError
from netcli.prototxt.lines import Document, Lines

AXES = 4  # input_dim has N, C, H, W of each input

_log = logging.getLogger("netcli")


def needs_input_upgrade(net: Any) -> bool:
    """Whether the net names inputs."""
    return len(net.input) > 0


def upgrade_input(net: Document) -> None:
    """Put a layer "input" first that has them as tops.

    Inputs without a shape are left out, since a caffemodel may have them so; a text is warned of.  Where there are
    both input_shape and input_dim, the former counts.  Raises PrototxtError for inputs that lack a shape.
    """
    message, lines = net.message, net.lines
    if message.input_shape:
        shapes = [(list(shape.message.dim), shape.lines) for shape in net.children("input_shape")]
        _check(net, "input_shape", len(shapes), 1)
    elif message.input_dim:
        _check(net, "input_dim", len(message.input_dim), AXES)
        shapes = [
            (list(message.input_dim[i : i + AXES]), _dims(lines, range(i, i + AXES)))
            for i in range(0, len(message.input) * AXES, AXES)
        ]
    else:
        shapes = []
        if lines.file is not None:
            _log.warning("%s: input '%s' has no input_shape and is left out", lines.find("input"), message.input[0])
    if shapes:
        _put_first(net, shapes)
    for name in ("input", "input_shape", "input_dim"):
        net.drop(name)


def _put_first(net: Document, shapes: list[tuple[list[int], Lines]]) -> None:
    layer = net.add_first("layer", net.lines.child("input"))
    layer.put("name", "input", layer.lines.here())
    layer.put("type", "Input", layer.lines.here())
    param = layer.sub("input_param")
    for dims, lines in shapes[: len(net.message.input)]:
        param.add("shape", lines).message.dim.extend(dims)
        param.lines.fields["shape"][-1] = lines
    net.move("input", layer, "top")


def _dims(lines: Lines, indices: range) -> Lines:
    """The lines of a shape that is made of some values of input_dim."""
    dims = [lines.child("input_dim", index) for index in indices]
    return Lines(dims[0].file, dims[0].line, {"dim": dims})


def _check(net: Document, name: str, count: int, each: int) -> None:
    wanted = each * len(net.message.input)
    if count < wanted:
        inputs = f"{len(net.message.input)} input{'' if len(net.message.input) == 1 else 's'}"
        raise PrototxtError(f"{inputs} need {wanted} {name}, got {count}", place=net.lines.place(name))
    if count > wanted:
        _log.warning("%s: %s is given %d times where %d count", net.lines.place(name, wanted), name, count, wanted)
