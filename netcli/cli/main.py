"""`netcli`: finds the command's file, runs it, and tells a fault in one sentence.

A command is the file of its name here (convert_images.py is `netcli convert-images`) and holds a
click command called `command`.  Its file is read only when it is asked for.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import pkgutil
import sys
from collections.abc import Sequence
from typing import Any

import click

import netcli
from netcli import cli
from netcli.cli.by_file import CommandsByFile
from netcli.errors import NetcliError

# Modules here that are not commands.
OURS = {
    "by_file",
    "data_report",
    "image_net",
    "main",
    "memory",
    "options",
    "progress",
    "ranking",
    "screen",
    "solver_run",
    "table",
    "target",
}


NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)  # what a stream says that takes no more


class Commands(CommandsByFile):
    """The commands of this package."""

    package = cli.__name__

    def names(self) -> Sequence[str]:
        names = (module.name for module in pkgutil.iter_modules(cli.__path__) if not module.ispkg)
        return sorted(name.replace("_", "-") for name in names if name not in OURS)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # `netcli predict ... | head`: whoever read has gone, and that is no fault
            _write_no_more()
            ctx.exit(0)
        except OSError as fault:  # of stdout, for files are told of by those who write them
            if fault.errno not in NO_ROOM or fault.filename is not None:
                raise
            _write_no_more()
            raise NetcliError(f"the output can't be written: {os.strerror(fault.errno).lower()}") from None


def _write_no_more() -> None:
    """What stdout still holds would fail once more when Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class Warnings(logging.Handler):
    """Warnings on stderr, one line each, in the form of errors."""

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError):  # a terminal that is gone ends no training
            click.echo(f"{record.levelname.lower()}: {record.getMessage()}", err=True)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(netcli.__version__, prog_name="netcli")
def group() -> None:
    """Trains, tests and runs Caffe's nets from their prototxt files."""


def main() -> None:
    """Run the command line; exit status 2 for a fault of the user's, 1 with a traceback for one of ours."""
    logger = logging.getLogger("netcli")
    logger.addHandler(Warnings())
    logger.propagate = False
    try:
        # What a command exits with, by click.exceptions.Exit, comes back as a number.
        sys.exit(group.main(prog_name="netcli", standalone_mode=False) or 0)
    except click.ClickException as fault:
        fault.show()
        sys.exit(fault.exit_code)
    except click.Abort as stop:
        click.echo(f"netcli: {str(stop.__cause__ or '') or 'interrupted'}", err=True)
        sys.exit(130)
    except NetcliError as fault:
        click.echo(f"netcli: {fault}", err=True)
        sys.exit(2)
    except MemoryError as fault:
        click.echo(f"netcli: there is not enough memory for this: {fault}".rstrip(": "), err=True)
        sys.exit(2)
