"""`netcli db`: what is done with databases of records, LMDB and LevelDB."""

from __future__ import annotations

import importlib

import click

from netcli.cli import db_commands

NAMES = ("info", "show", "get", "verify", "merge", "split")


class DatabaseCommands(click.Group):
    """The commands of db_commands, by their files."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in NAMES:
            return None
        command: click.Command = importlib.import_module(f"{db_commands.__name__}.{cmd_name}").command
        return command


@click.command(cls=DatabaseCommands, short_help="Look at, check, join and part databases.")
def command() -> None:
    """Look at, check, join and part databases of records: LMDB or LevelDB, told apart by what the folder holds."""
