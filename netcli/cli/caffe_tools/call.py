"""A call of one of Caffe's programs: what it was given, and the log it writes."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import click

from netcli.cli.caffe_tools.gflags import Flag, Parsed
from netcli.training.journal import Journal


@dataclass(frozen=True)
class Call:
    """The flags and the other words of a command line, and where its lines go."""

    flags: Parsed
    words: list[str]
    log: Journal


@dataclass(frozen=True)
class Program:
    """One of Caffe's programs.

    usage, what  how it is called, and what it does
    run          does its work and returns the exit status; raises NetcliError
    least, most  how many words it takes beside its flags
    logs_to_stderr  whether it has all lines of its log there by itself, and not those of errors alone
    """

    usage: str
    what: str
    run: Callable[[Call], int]
    least: int
    most: int
    flags: tuple[Flag, ...] = ()
    logs_to_stderr: bool = True


def run_ours(command: click.Command, arguments: Sequence[str]) -> list[str]:
    """Run a command of netcli's own; returns the lines it would have printed.  Raises what it raises."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        command.main(list(arguments), prog_name=f"netcli {command.name}", standalone_mode=False)
    return out.getvalue().splitlines()
