"""`netcli upgrade`: a net or solver of an old form, written in today's."""

from __future__ import annotations

import os
from typing import BinaryIO

import click

from netcli.errors import NetcliError, Place
from netcli.prototxt import Document, kind, read, read_text, schema, to_text, upgrade_net, upgrade_solver
from netcli.snapshots import atomic_write

STDOUT = "-"


@click.command(short_help="Write an old net or solver in today's form.")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
def command(source: str, target: str) -> None:
    """Write the net or solver prototxt IN in today's form to OUT, which may be IN; - is stdout.

    Layers of Caffe's first two forms (V0, V1), transformations inside data parameters, inputs beside the layers
    and solver_type are rewritten; all else means what it meant.  Comments are not kept, but where nothing is old
    the text is written as it stands.
    """
    text = upgraded_text(source).encode("utf-8", "surrogateescape")
    if target == STDOUT:
        click.echo(text, nl=False)
        return
    if os.path.isdir(target):
        raise NetcliError("is a folder; OUT is the file to write", place=Place(target))

    def write(stream: BinaryIO) -> None:
        stream.write(text)

    atomic_write(target, write)


def upgraded_text(path: str) -> str:
    """The text of a net or solver in today's form; raises PrototxtError."""
    found = kind(path)
    document, upgraded = _both_forms(path, found)
    if upgraded.message == document.message:
        click.echo(f"{path}: nothing in this {found} is old", err=True)
        return read_text(path)
    return to_text(upgraded.message)


def _both_forms(path: str, found: str) -> tuple[Document, Document]:
    """The document at `path` as it stands, and upgraded."""
    if found == "net":
        net = read(path, schema.NetParameter)
        return net, upgrade_net(net, tell=False)
    if found == "solver":
        solver = read(path, schema.SolverParameter)
        return solver, upgrade_solver(solver, tell=False)
    raise NetcliError(f"is a {found}, which has no old form", place=Place(path))
