"""Options of the commands here, one of which convert-images has too, and what those look at first that write."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import click

from netcli.errors import DataError
from netcli.sources.database import BACKENDS, LMDB
from netcli.sources.shards import MOST, folders_of

backend_option = click.option(
    "--backend", type=click.Choice(BACKENDS), default=LMDB, show_default=True, help="For a folder that holds both."
)
new_backend_option = click.option(
    "--new-backend", type=click.Choice(BACKENDS), help="Of what is made; default: as the (first) database read."
)
force_option = click.option("--force", is_flag=True, help="Replace a database that is there.")


def shards_option(makes: str) -> Callable[[Any], Any]:
    """--shards N; makes: what, in the words before their names."""
    return click.option(
        "--shards",
        "shard_count",
        type=click.IntRange(1, MOST),
        metavar="N",
        help=f"{makes} DB-00000-of-0000N and so on, which are read together as DB@N.",
    )


def check_apart(read: Sequence[str], written: Sequence[str]) -> None:
    """Raise DataError where a database to be written is one that is read, or two to be written are one."""
    seen = {os.path.realpath(folder) for path in read for folder in folders_of(path)}
    for path in written:
        if os.path.realpath(path) in seen:
            raise DataError(f"{path} is named twice; each database that is read or written has a folder of its own")
        seen.add(os.path.realpath(path))
