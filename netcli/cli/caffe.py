"""`netcli caffe`: Caffe's programs and scripts in their own spelling, for scripts that exist."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator, Sequence

import click

import netcli
from netcli.cli.caffe_tools import glog, scripts
from netcli.cli.caffe_tools.call import Call, Program
from netcli.cli.caffe_tools.gflags import Flag, FlagError, Parsed, help_text, parse
from netcli.cli.caffe_tools.programs import MAIN, PROGRAMS
from netcli.errors import NetcliError
from netcli.training.journal import Journal

ENDINGS = (".bin", ".example", ".py")  # of files that are these programs, one behind the other
SEVERITIES = {logging.WARNING: "W", logging.ERROR: "E"}


class Verbatim(click.Command):
    """A command whose words are all its own, whatever they look like."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.params = {"arguments": tuple(args)}
        return []


@click.command(cls=Verbatim, add_help_option=False, short_help="Caffe's programs in their own spelling.")
@click.pass_context
def command(ctx: click.Context, arguments: Sequence[str]) -> None:
    """Run one of Caffe's programs, with its own flags, lines and exit statuses."""
    name, folder, rest = _program(arguments)
    if name in scripts.SCRIPTS:
        ctx.exit(scripts.run(name, rest, folder))
    ctx.exit(run(name, PROGRAMS[name], rest))


def run(name: str, program: Program, arguments: Sequence[str]) -> int:
    """Run a program that takes gflags' flags; returns its exit status, 1 for a fault in the flags and 2 for others."""
    own = tuple(flag for flag in glog.FLAGS if flag.name != "alsologtostderr")
    also = Flag("alsologtostderr", program.logs_to_stderr, "Write log lines to stderr and to files.")
    logging_flags = glog.with_environment((*own, also, *glog.WITHOUT_EFFECT), os.environ)
    try:
        flags = parse(arguments, program.flags, name, logging_flags)
        if flags.wants_version:
            click.echo(f"{name} version {netcli.__version__}")
            return 0
        if flags.wants_help or (name == MAIN and not flags.words):
            click.echo(_help(name, program, logging_flags))
            return 0
        if not program.least <= len(flags.words) <= program.most:
            raise FlagError(f"usage: {program.usage}; got {' '.join(flags.words) or 'nothing'}")
    except FlagError as fault:
        click.echo(f"ERROR: {fault}", err=True)
        return 1
    with _logging_to(name, flags) as journal:
        try:
            return program.run(Call(flags, flags.words, journal))
        except (NetcliError, click.ClickException) as fault:
            journal.say(
                "netcli", fault.format_message() if isinstance(fault, click.ClickException) else str(fault), "F"
            )
            return 2


def _program(arguments: Sequence[str]) -> tuple[str, str, Sequence[str]]:
    """The program's name, the folder it is said to lie in, and its own words.

    The first word may be the name of a program or a path to it; else they are all those of the main one.
    """
    if arguments and not arguments[0].startswith("-"):
        folder, name = os.path.split(arguments[0])
        for ending in ENDINGS:
            name = name.removesuffix(ending)
        if name in PROGRAMS or name in scripts.SCRIPTS:
            return name, folder, arguments[1:]
    return MAIN, "", arguments


def _help(name: str, program: Program, logging_flags: Sequence[Flag]) -> str:
    parts = [f"usage: {program.usage}", program.what, ""]
    if name == MAIN:
        others = ", ".join([*(other for other in PROGRAMS if other != MAIN), *scripts.SCRIPTS])
        parts = [
            f"usage: {program.usage}",
            program.what,
            "",
            f"Other programs: {others}; each with -help or --help.",
            "",
        ]
    told = [*program.flags, *(flag for flag in logging_flags if flag not in glog.WITHOUT_EFFECT)]
    return "\n".join([*parts, "Flags, each with what netcli's own commands call it:", help_text(told)])


class _ToJournal(logging.Handler):
    """Warnings as lines of the log."""

    def __init__(self, journal: Journal) -> None:
        super().__init__()
        self.journal = journal

    def emit(self, record: logging.LogRecord) -> None:
        self.journal.say("netcli", record.getMessage(), SEVERITIES.get(record.levelno, "I"))


@contextlib.contextmanager
def _logging_to(name: str, flags: Parsed) -> Iterator[Journal]:
    """The program's log, where warnings go too while it runs."""
    output = glog.Glog(name, flags)
    journal = Journal(to_file=False, output=output)
    logger = logging.getLogger("netcli")
    before = logger.handlers[:]
    logger.handlers[:] = [_ToJournal(journal)]
    try:
        yield journal
    finally:
        logger.handlers[:] = before
        output.close()
