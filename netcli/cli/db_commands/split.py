"""`netcli db split`: one database to several."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing

import click
import numpy as np

from netcli.arrays import random
from netcli.cli.db_commands.options import backend_option, check_apart, force_option, new_backend_option, shards_option
from netcli.cli.progress import progress
from netcli.errors import DataError
from netcli.sources.database import backend_of, create_database, open_database
from netcli.sources.record_keys import renumbered
from netcli.sources.record_parts import Share, deal, part_sizes, read_share
from netcli.sources.record_set import DatabaseRecords
from netcli.sources.shard_writer import ShardWriter
from netcli.sources.shards import Shards, base_of


def _parts(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> list[tuple[str, Share]]:
    """The callback of arguments OUT=SHARE."""
    found = []
    for value in values:
        path, _, text = value.rpartition("=")
        share = read_share(text)
        if not path or share is None:
            raise click.BadParameter(
                f"'{value}' is not like train_lmdb=0.9, train_lmdb=90%, train_lmdb=500 or train_lmdb=rest", ctx, param
            )
        found.append((path, share))
    return found


@click.command(short_help="One database to several.")
@click.argument("database", metavar="DB")
@click.argument("parts", metavar="[OUT=SHARE...]", nargs=-1, callback=_parts)
@backend_option
@new_backend_option
@click.option("--stratify", is_flag=True, help="Give each part its share of every label.")
@click.option("--in-order", is_flag=True, help="Give the first records to the first part, and so on; else by chance.")
@click.option("--seed", type=int, help="The same seed gives the same parts; default: a new one, which is printed.")
@click.option("--renumber", is_flag=True, help="Number each part's keys anew from 0.")
@shards_option("Instead of parts: N shards")
@force_option
def command(
    database: str,
    parts: Sequence[tuple[str, Share]],
    backend: str,
    new_backend: str | None,
    stratify: bool,
    in_order: bool,
    seed: int | None,
    renumber: bool,
    shard_count: int | None,
    force: bool,
) -> None:
    """Deal the records of DB out to several databases: a fraction of them (0.9 or 90%), a number (500), or the rest.

    Each record goes to one part at most, drawn by chance; within a part records keep their order, and their keys unless
    --renumber is given.  No part is in its place before all are on the disk.

    With --shards the records go to as many databases in their order, with their keys: DB@N has the records of DB.
    """
    if (shard_count is None) == (not parts):
        raise click.UsageError("give parts, such as train_lmdb=0.9 val_lmdb=rest, or --shards")
    if shard_count is not None:
        if in_order or stratify or renumber or seed is not None:
            raise click.UsageError("--shards keeps records and keys as they are: give no other option for them")
        _to_shards(database, shard_count, backend, new_backend, force)
        return
    if in_order and (stratify or seed is not None):
        raise click.UsageError("--in-order leaves nothing to chance: give no --stratify and no --seed")
    paths = [path for path, _ in parts]
    check_apart([database], paths)
    seed = random.new_seed() if seed is None else seed
    with ExitStack() as opened:
        records = opened.enter_context(closing(DatabaseRecords(open_database(database, backend))))
        total = len(records)
        sizes = part_sizes([share for _, share in parts], total)
        if in_order:
            of_record = np.repeat([*range(len(sizes)), -1], [*sizes, total - sum(sizes)])
        else:
            of_record = deal(sizes, total, seed, _labels(records) if stratify else None)
        kind = new_backend or backend_of(database, backend)
        writers = [opened.enter_context(create_database(path, kind, overwrite=force)) for path in paths]
        written = [0] * len(writers)
        with progress(total, "writing") as told:
            for index, part in enumerate(of_record.tolist()):
                if part >= 0:
                    fetched = records.fetch(index)
                    key = renumbered(fetched.key, written[part], sizes[part]) if renumber else fetched.key
                    writers[part].put(key, fetched.value)
                    written[part] += 1
                told(index + 1)
            for writer in writers:
                writer.flush()
    for path, size in zip(paths, sizes, strict=True):
        click.echo(f"{path}: {size} records")
    left_over = total - sum(sizes)
    told_of = [f"{left_over} of {total} records are in no part"] if left_over else []
    told_of += [] if in_order else [f"dealt out by seed {seed}"]
    if told_of:
        click.echo("; ".join(told_of))


def _to_shards(database: str, count: int, backend: str, new_backend: str | None, force: bool) -> None:
    shards = Shards(base_of(database), count)
    check_apart([database], shards.folders)
    kind = new_backend or backend_of(database, backend)
    with open_database(database, backend) as reader:
        total = len(reader)
        if count > total:
            raise DataError(f"{total} record{'' if total == 1 else 's'} can't be dealt out to {count} shards")
        # The database itself may stay beside its shards.
        made = ShardWriter([shards.base], count, kind, overwrite=force, whole_too=False)
        with made, progress(total, "writing") as told:
            for index in range(count):
                with made.create(shards.base, index) as writer:
                    for number in shards.span(index, total):
                        writer.put(*reader[number])
                        told(number + 1)
    click.echo(f"{shards.name}: {total} records")


def _labels(records: DatabaseRecords) -> list[int]:
    with progress(len(records), "reading labels") as told:
        found = []
        for index in range(len(records)):
            found.append(records.label(records.fetch(index)))
            told(index + 1)
    return found
