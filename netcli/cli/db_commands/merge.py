"""`netcli db merge`: several databases to one."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing

import click
import numpy as np

from netcli.arrays import random
from netcli.cli.db_commands.options import backend_option, check_apart, force_option, new_backend_option
from netcli.cli.progress import progress
from netcli.sources.database import backend_of, create_database, open_database
from netcli.sources.record_keys import renumbered


@click.command(short_help="Several databases to one.")
@click.argument("databases", metavar="DB...", nargs=-1, required=True)
@click.argument("out", metavar="OUT")
@backend_option
@new_backend_option
@click.option("--keep-keys", is_flag=True, help="Leave the keys as they are; two that are equal are refused.")
@click.option("--shuffle", is_flag=True, help="Write the records in random order.")
@click.option("--seed", type=int, help="For --shuffle: the same seed gives the same order.")
@force_option
def command(
    databases: Sequence[str],
    out: str,
    backend: str,
    new_backend: str | None,
    keep_keys: bool,
    shuffle: bool,
    seed: int | None,
    force: bool,
) -> None:
    """Make of several databases one, OUT: all records of the first, then those of the second, and so on.

    Each gets a new number, from 0 on, in its key: 00000007_cat.jpg may become 00050007_cat.jpg, and a key without a
    number gets one before it.  Values are copied as they are.  With --keep-keys the order is that of the keys, as it is
    in any database.
    """
    if keep_keys and shuffle:
        raise click.UsageError("--keep-keys and --shuffle exclude each other: records are in the order of their keys")
    check_apart(databases, [out])
    with ExitStack() as opened:
        readers = [opened.enter_context(closing(open_database(path, backend))) for path in databases]
        ends = np.cumsum([len(reader) for reader in readers])
        total = int(ends[-1])
        order = np.arange(total)
        if shuffle:
            seed = random.new_seed() if seed is None else seed
            order = random.permutation(seed, "merge", 0, total)
        kind = new_backend or backend_of(databases[0], backend)
        sources = np.searchsorted(ends, order, side="right")
        with create_database(out, kind, overwrite=force) as writer, progress(total, "writing") as told:
            for number, (index, source) in enumerate(zip(order.tolist(), sources.tolist(), strict=True)):
                reader = readers[source]
                key, value = reader[index - int(ends[source]) + len(reader)]
                writer.put(key if keep_keys else renumbered(key, number, total), value)
                told(number + 1)
    by = f", shuffled by seed {seed}" if shuffle else ""
    click.echo(f"{out}: {total} records of {len(databases)} database{'' if len(databases) == 1 else 's'}{by}")
