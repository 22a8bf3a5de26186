"""A call of an old program: what it was given, and the log it writes."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from netcli.cli.caffe_tools.gflags import Flag, Parsed
from netcli.training.journal import Journal

_log = logging.getLogger("netcli")


@dataclass(frozen=True)
class Call:
    """The flags and words of a command line, and where its lines go."""

    flags: Parsed
    words: list[str]
    log: Journal


@dataclass(frozen=True)
class Program:
    """An old program.

    usage   how it is called, in a line; least, most: the words it takes beside its flags
    run     does its work and returns the exit status; raises NetcliError
    to_stderr  whether its log goes to stderr by itself
    """

    usage: str
    what: str
    run: Callable[[Call], int]
    least: int
    most: int
    flags: tuple[Flag, ...] = ()
    to_stderr: bool = True


def warn_of_gpu(what: str) -> None:
    """Say that what asks for a GPU is computed on the CPU."""
    _log.warning("%s: this build of netcli has no GPU engine yet; it runs on the CPU", what)
