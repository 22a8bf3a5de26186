"""Prototxt files: schema, text with its lines, upgrade of old forms."""

from netcli.prototxt.files import find_file, kind, read, read_net, read_solver, read_text
from netcli.prototxt.lines import Document, Lines
from netcli.prototxt.text import parse
from netcli.prototxt.upgrade import upgrade_net, upgrade_solver
from netcli.prototxt.write import to_text

__all__ = [
    "Document",
    "Lines",
    "find_file",
    "kind",
    "parse",
    "read",
    "read_net",
    "read_solver",
    "read_text",
    "to_text",
    "upgrade_net",
    "upgrade_solver",
]
