"""`netcli extract-features`: what blobs of a net hold, into databases, as Caffe's extract_features."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Any

import click

from netcli.arrays.layout import size_text
from netcli.arrays.ops import Ops
from netcli.arrays.threads import set_threads
from netcli.cli.options import (
    engine_option,
    gpu_option,
    level_option,
    precision_option,
    python_option,
    stage_option,
    threads_option,
)
from netcli.cli.screen import Screen
from netcli.errors import DataError
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.prototxt import read_net
from netcli.sources.database import BACKENDS, LMDB, create_database
from netcli.training.cards import device_of
from netcli.training.features import check_blobs, one_pass, store
from netcli.training.precision import ops_of
from netcli.training.weights import load_all_weights, split_paths


def _pairs(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> list[tuple[str, str]]:
    """The callback of --blob: (blob, database) of each."""
    found = []
    for value in values:
        blob, _, database = value.partition("=")
        if not blob or not database:
            raise click.BadParameter(f"'{value}' is not like fc7=features_lmdb", ctx, param)
        found.append((blob, database))
    return found


@click.command(short_help="Store what blobs of a net hold in databases.")
@click.argument("net", metavar="NET")
@click.option("--weights", multiple=True, required=True, metavar="FILE[,...]", help="Caffemodels, one after another.")
@click.option(
    "--blob",
    "features",
    multiple=True,
    required=True,
    metavar="NAME=DB",
    callback=_pairs,
    help="A blob, and the database to make of it; may be given several times.",
)
@click.option(
    "--batches", type=click.IntRange(min=1), metavar="N", help="Default: all records of the net's source, each once."
)
@click.option("--backend", type=click.Choice(BACKENDS), default=LMDB, show_default=True)
@click.option("--force", is_flag=True, help="Replace databases that are there.")
@level_option
@stage_option
@engine_option
@precision_option
@threads_option
@gpu_option
@python_option
def command(
    net: str,
    weights: Sequence[str],
    features: Sequence[tuple[str, str]],
    batches: int | None,
    backend: str,
    force: bool,
    level: int | None,
    stages: tuple[str, ...],
    engine: str,
    precision: str | None,
    gpu: int | None,
    threads: int | None,
    allow_python: bool,
) -> None:
    """Run a net in its TEST phase and store each item of its blobs as a record of floating-point numbers.

    A record's key is its number, its size that of the item, and it has no label: a Data layer reads it.
    """
    if threads is not None:
        set_threads(threads)
    extract(
        net,
        split_paths(weights),
        features,
        batches,
        backend,
        overwrite=force,
        level=level,
        stages=stages,
        ops=ops_of(None, engine, precision, device=device_of(None, gpu, engine).device),
        allow_python=allow_python,
    )


def extract(
    path: str,
    weights: Sequence[str],
    features: Sequence[tuple[str, str]],
    batches: int | None,
    backend: str,
    *,
    overwrite: bool = False,
    level: int | None = None,
    stages: Sequence[str] = (),
    ops: Ops | None = None,
    allow_python: bool = False,
) -> None:
    """Do what the command does, and say so.

    path      of the net's prototxt
    features  names of blobs, each with the folder of a new database
    batches   forward passes; None: all records of the net's source once
    backend   of the databases: "lmdb" or "leveldb"
    Raises NetcliError before a record is read where net, weights, blobs and databases do not fit; the databases get
    their names when all of them hold everything, and not before.
    """
    _check_distinct([database for _, database in features])
    writers = [create_database(database, backend, overwrite=overwrite) for _, database in features]
    names = [name for name, _ in features]
    document = read_net(path)
    screen = Screen()
    with closing(screen):
        settings: dict[str, Any] = {"level": level, "stages": stages, "ops": ops, "allow_python": allow_python}
        net = Net(document, TEST, keep_blobs=names, constant=True, **settings)
        with closing(net):
            check_blobs(net, names)
            passes, items = (batches, None) if batches is not None else one_pass(net, names)
            load_all_weights(net, weights)

            def tell(batch: int) -> None:
                if screen.due():
                    screen.progress(f"{net.name}  {batch}/{passes} batches")

            with ExitStack() as stack:
                targets = list(zip(names, map(stack.enter_context, writers), strict=True))
                stored = store(net, targets, passes, items, tell)
            shapes = [net.blobs[name].shape[1:] for name in names]
    for (name, database), count, shape in zip(features, stored, shapes, strict=True):
        screen.say(f"{database}: {count} records of '{name}', {size_text(shape) or 'one number'} each")


def _check_distinct(databases: Sequence[str]) -> None:
    seen: set[str] = set()
    for database in databases:
        place = os.path.realpath(database)
        if place in seen:
            raise DataError(f"two blobs can't go to one database, {database}")
        seen.add(place)
