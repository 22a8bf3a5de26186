"""`netcli db`: what is done with databases of records, LMDB and LevelDB."""

from __future__ import annotations

from collections.abc import Sequence

import click

from netcli.cli import db_commands
from netcli.cli.by_file import CommandsByFile


class DatabaseCommands(CommandsByFile):
    """Those of db_commands."""

    package = db_commands.__name__

    def names(self) -> Sequence[str]:
        return "info", "show", "get", "verify", "merge", "split"


@click.command(cls=DatabaseCommands, short_help="Look at, check, join and part databases.")
def command() -> None:
    """Look at, check, join and part databases of records: LMDB or LevelDB, told apart by what the folder holds."""
