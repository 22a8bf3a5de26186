"""Commands found by the files of a package: make_it.py holds `make-it`, a click command called `command`."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import ClassVar

import click

from netcli.errors import suggestion


class CommandsByFile(click.Group):
    """For inheriting: a subclass says which package, and which names.  A file is read when its command is asked for."""

    package: ClassVar[str]

    def names(self) -> Sequence[str]:
        """The commands, in the order of the help."""
        raise NotImplementedError(f"{type(self).__name__} names no commands")

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(self.names())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in self.names():
            return None
        module = importlib.import_module(f"{self.package}.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.names()
        if args and not args[0].startswith("-") and args[0] not in known:
            ctx.fail(f"No such command '{args[0]}'{suggestion(args[0], known)}.".replace("?.", "?"))
        return super().resolve_command(ctx, args)
