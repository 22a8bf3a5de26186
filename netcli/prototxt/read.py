"""Files to messages: nets, solvers, and what kind of file one is."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from netcli.errors import Place, PrototxtError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines
from netcli.prototxt.text import Parser, parse
from netcli.prototxt.upgrade import upgrade_net, upgrade_solver

# Of the kinds' top-level fields, those that no other kind has decide.
KINDS = {"net": schema.NetParameter, "solver": schema.SolverParameter, "label map": schema.LabelMap}


def read_net(path: str) -> Document:
    """The net in a prototxt (NetParameter), upgraded; raises PrototxtError."""
    return upgrade_net(read(path, schema.NetParameter))


def read_solver(path: str) -> Document:
    """The solver in a prototxt (SolverParameter), upgraded, its snapshot_prefix settled; raises PrototxtError."""
    return upgrade_solver(read(path, schema.SolverParameter), path)


def read(path: str, message_class: Callable[[], Any]) -> Document:
    """A prototxt as it stands; raises PrototxtError."""
    return parse(read_text(path), message_class, path)


def kind(path: str) -> str:
    """ "net", "solver" or "label map", by the fields the file begins its messages with, whatever its name.

    Raises PrototxtError for a file that is none of them.
    """
    text = read_text(path)
    names = top_level_names(text, path)
    if not names:
        raise PrototxtError("the file is empty: there is no field in it", place=Place(path))
    known = {
        what: sum(name in message_class.DESCRIPTOR.fields_by_name for name in names)
        for what, message_class in KINDS.items()
    }
    best = max(known, key=lambda what: known[what])
    if not known[best]:
        raise PrototxtError(
            f"is neither a net nor a solver: no such file begins with '{names[0]}'", place=Place(path, 1)
        )
    return best


def top_level_names(text: str, path: str) -> list[str]:
    """The names outside all braces, in order; each is a field's."""
    parser, depth, names = Parser(text, path), 0, []
    previous = ""
    while parser.kind is not None:
        if parser.kind == "mark":
            depth += (parser.token in "{<") - (parser.token in "}>")
        elif parser.kind == "name" and depth == 0 and previous != ":":
            names.append(parser.token)
        previous = parser.step()
    return names


def read_text(path: str) -> str:
    """A file's text; raises PrototxtError where it can't be read or is not text."""
    try:
        with open(path, "rb") as file:
            raw = file.read()
    except FileNotFoundError:
        raise PrototxtError("there is no such file", place=Place(path)) from None
    except IsADirectoryError:
        raise PrototxtError("is a directory, not a prototxt", place=Place(path)) from None
    except OSError as fault:
        raise PrototxtError(f"can't be read: {fault.strerror}", place=Place(path)) from None
    if b"\0" in raw:
        raise PrototxtError("is a binary file, not a prototxt (is it a caffemodel?)", place=Place(path))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + 1
        raise PrototxtError("holds bytes that are not UTF-8 text", place=Place(path, line)) from None


def find_file(path: str, lines: Lines) -> str:
    """A path named in a prototxt: as it stands where it exists from the current folder, else beside the file
    that names it where it exists there, else as it stands.
    """
    if os.path.isabs(path) or os.path.exists(path) or lines.file is None:
        return path
    beside = os.path.join(os.path.dirname(lines.file), path)
    return beside if os.path.exists(beside) else path
