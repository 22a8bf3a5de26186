"""`netcli upgrade`: a net or solver of an old form, written in today's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import BinaryIO

import click

from netcli.errors import NetcliError, Place
from netcli.prototxt import Document, parse, schema, to_text, upgrade_net, upgrade_solver
from netcli.prototxt.files import is_text, kind_of, read_bytes, text_of
from netcli.snapshots import atomic_write
from netcli.snapshots.blobproto import check_size
from netcli.snapshots.content import WITHOUT_LIMIT
from netcli.snapshots.old_forms import Parts, kind_of_binary, upgraded_net, upgraded_solver

STDOUT = "-"


@dataclass(frozen=True)
class Upgraded:
    """A file in today's form.

    kind     "net" or "solver"
    is_text  whether it is a prototxt
    was_old  whether anything was of an old form
    parts    its bytes
    """

    kind: str
    is_text: bool
    was_old: bool
    parts: Parts


@click.command(short_help="Write an old net or solver in today's form.")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
def command(source: str, target: str) -> None:
    """Write the net or solver IN, a prototxt or a binary file, in today's form to OUT, which may be IN; - is stdout.

    Layers of Caffe's first two forms (V0, V1), transformations inside data parameters, inputs beside the layers
    and solver_type are rewritten; all else means what it meant.  Comments of a prototxt are not kept, but where nothing
    is old the file is written as it stands.  A binary file, such as a caffemodel, stays one, its weights bit for bit.
    """
    found = upgraded(source)
    if not found.was_old:
        click.echo(f"{source}: nothing in this {found.kind} is old", err=True)
    write(found, target)


def upgraded(path: str) -> Upgraded:
    """The net or solver in a file, in today's form; raises PrototxtError or SnapshotError."""
    if os.path.isfile(path):
        check_size(path, os.path.getsize(path), "file", WITHOUT_LIMIT)
    raw = read_bytes(path)
    if is_text(raw):
        return _upgraded_text(text_of(raw, path), path)
    content = memoryview(raw)
    kind = kind_of_binary(path, content)
    parts = upgraded_net(path, content) if kind == "net" else upgraded_solver(path, content)
    return Upgraded(kind, is_text=False, was_old=parts is not None, parts=[content] if parts is None else parts)


def write(found: Upgraded, target: str) -> None:
    """Write what was upgraded to a file, or stdout for "-"; raises NetcliError."""
    if target == STDOUT:
        for part in found.parts:
            click.echo(bytes(part), nl=False)
        return
    if os.path.isdir(target):
        raise NetcliError("is a folder; OUT is the file to write", place=Place(target))

    def write_parts(stream: BinaryIO) -> None:
        for part in found.parts:
            stream.write(part)

    atomic_write(target, write_parts)


def _upgraded_text(text: str, path: str) -> Upgraded:
    kind = kind_of(text, path)
    document, new = _both_forms(text, path, kind)
    was_old = new.message != document.message
    content = to_text(new.message) if was_old else text
    return Upgraded(kind, is_text=True, was_old=was_old, parts=[content.encode("utf-8", "surrogateescape")])


def _both_forms(text: str, path: str, kind: str) -> tuple[Document, Document]:
    """A prototxt as it stands, and upgraded."""
    if kind == "net":
        net = parse(text, schema.NetParameter, path)
        return net, upgrade_net(net, tell=False)
    if kind == "solver":
        solver = parse(text, schema.SolverParameter, path)
        return solver, upgrade_solver(solver, tell=False)
    raise NetcliError(f"is a {kind}, which has no old form", place=Place(path))
