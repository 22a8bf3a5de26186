"""Files to messages: nets, solvers, and what kind of file one is."""

from __future__ import annotations

import functools
import os
import re
from typing import Any

from netcli.errors import Place, PrototxtError, suggestion
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines
from netcli.prototxt.text import parse
from netcli.prototxt.tokens import top_fields
from netcli.prototxt.upgrade import upgrade_net, upgrade_solver

KINDS = {"net": "NetParameter", "solver": "SolverParameter", "label map": "LabelMap"}
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f]")  # control characters other than tab, line ends and form feed
_looked_at: dict[str, str] = {}  # by path, the text of pipes for who reads them next
HEAD = 64  # bytes; a caffemodel has some of those in its first few


def read_net(path: str, *, again: bool = False) -> Document:
    """The net in a prototxt (NetParameter), upgraded; raises PrototxtError.

    again: the file will be read once more, as in `read_text`
    """
    return upgrade_net(read(path, schema.NetParameter, again=again))


def read_solver(path: str) -> Document:
    """The solver in a prototxt (SolverParameter), upgraded, its snapshot_prefix settled; raises PrototxtError."""
    return upgrade_solver(read(path, schema.SolverParameter), path)


def read(path: str, message_class: Any, *, again: bool = False) -> Document:
    """A prototxt as it stands; raises PrototxtError."""
    text = read_text(path, again=again)
    wanted = next((kind for kind, name in KINDS.items() if name == message_class.DESCRIPTOR.name), None)
    try:
        return parse(text, message_class, path)
    except PrototxtError:
        found = _kind(text)
        if wanted and found and found != wanted:
            raise PrototxtError(f"is a {found}, where a {wanted} is wanted", place=Place(path)) from None
        raise


def kind(path: str) -> str:
    """What a prototxt is by its fields, whatever its name: "net", "solver" or "label map".

    Raises PrototxtError for a file that is none of them.
    """
    return kind_of(read_text(path, again=True), path)


def kind_of(text: str, path: str) -> str:
    """The same of the text of a file; the path is for the fault."""
    found = _kind(text)
    if found is not None:
        return found
    first = next(top_fields(text), None)
    if first is None:
        raise PrototxtError("has no field; a net or a solver is wanted", place=Place(path))
    name, line = first
    near = suggestion(name, _telling())
    raise PrototxtError(f"is no net, solver or label map: none of them has '{name}'{near}", place=Place(path, line))


def _kind(text: str) -> str | None:
    """The kind of the first field that only one kind has, else of the first field there is."""
    shared = None
    for name, _ in top_fields(text):
        if name in _telling():
            return _telling()[name]
        if shared is None:
            shared = next(
                (k for k, m in KINDS.items() if name in schema.message_class(m).DESCRIPTOR.fields_by_name), None
            )
    return shared


@functools.cache
def _telling() -> dict[str, str]:
    """The fields that one kind of file has and no other, with that kind."""
    fields = {kind: set(schema.message_class(name).DESCRIPTOR.fields_by_name) for kind, name in KINDS.items()}
    return {
        name: kind
        for kind, names in fields.items()
        for name in names
        if sum(name in others for others in fields.values()) == 1
    }


def read_text(path: str, *, again: bool = False) -> str:
    """A file's text; raises PrototxtError where it can't be read or is not text.

    again: of what can be read but once, such as a pipe, the text is kept for the next who reads it
    """
    text = _looked_at.pop(path) if path in _looked_at else text_of(read_bytes(path), path)
    if again and os.path.exists(path) and not os.path.isfile(path):
        _looked_at[path] = text
    return text


def read_bytes(path: str) -> bytes:
    """A file's bytes; raises PrototxtError where it can't be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise PrototxtError("there is no such file", place=Place(path)) from None
    except IsADirectoryError:
        raise PrototxtError("is a folder, not a prototxt", place=Place(path)) from None
    except OSError as fault:
        raise PrototxtError(f"can't be read: {fault.strerror}", place=Place(path)) from None


def is_text(raw: bytes) -> bool:
    """Whether bytes may be a prototxt, and not a binary file."""
    return not (b"\0" in raw or _NO_TEXT.search(raw, 0, HEAD))


def text_of(raw: bytes, path: str) -> str:
    """The text in a file's bytes; raises PrototxtError where they are none.

    Bytes that are not UTF-8 are kept as surrogates: in a comment nobody minds, in a string the parser tells.
    """
    if not is_text(raw):
        raise PrototxtError("is a binary file, not prototxt text; is it a caffemodel?", place=Place(path))
    return raw.decode("utf-8-sig", "surrogateescape")


def find_file(path: str, lines: Lines) -> str:
    """A path named in a prototxt, as it is to be opened.

    As it stands where it exists from the current folder; else beside the file that names it, where it exists
    there; else as it stands.
    """
    return path if lines.file is None else find_beside(path, os.path.dirname(lines.file))


def find_beside(path: str, folder: str) -> str:
    """The path as it stands where it exists; else below `folder`, where it exists there; else as it stands."""
    beside = os.path.join(folder, path)
    return beside if not os.path.exists(path) and os.path.exists(beside) else path
