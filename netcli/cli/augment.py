"""`netcli augment`: what a net's data layer makes of its images, as a picture or as a database."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor

import click

from netcli.arrays import random
from netcli.arrays.layout import size_text
from netcli.arrays.threads import usable_cpus
from netcli.augment.sheet import sheet
from netcli.cli.options import level_option, stage_option
from netcli.cli.progress import progress
from netcli.cli.target import PHASES, target
from netcli.snapshots import atomic_write, check_writable
from netcli.sources.database import BACKENDS, LMDB, create_database
from netcli.sources.datum import write_datum, write_encoded_datum
from netcli.sources.image_file import FORMATS, encode_image
from netcli.training.augmented import AugmentedRecords

AHEAD = 8  # records for each worker that are made before their turn to be written
SAMPLES, COPIES = 6, 4  # of a preview where nothing is said


@click.command(short_help="Show or store what a net's data layer makes of its images.")
@click.argument("net", metavar="NET-or-SOLVER")
@click.option("--preview", metavar="FILE", help="Write a picture: images beside their copies, with what was drawn.")
@click.option("--out", "database", metavar="DB", help="Write a database of the copies.")
@click.option(
    "--samples", type=click.IntRange(min=1), help=f"The first images.  Default: {SAMPLES} for --preview, all for --out."
)
@click.option(
    "--copies",
    type=click.IntRange(min=1),
    metavar="K",
    help=f"Of each image.  Default: {COPIES} for --preview, 1 for --out.",
)
@click.option("--seed", type=int, help="The same seed draws the same.  Default: a solver's random_seed, or a new one.")
@click.option("--layer", "name", metavar="NAME", help="The data layer, where there are several.")
@click.option("--phase", type=click.Choice(PHASES, case_sensitive=False), default="TRAIN", show_default=True)
@level_option
@stage_option
@click.option("--backend", type=click.Choice(BACKENDS), default=LMDB, show_default=True)
@click.option("--encode-type", default="", help="Store image files of this kind, such as png or jpg, not pixels.")
@click.option("--force", is_flag=True, help="Replace a database that is there.")
def command(
    net: str,
    preview: str | None,
    database: str | None,
    samples: int | None,
    copies: int | None,
    seed: int | None,
    name: str | None,
    phase: str,
    level: int | None,
    stages: tuple[str, ...],
    backend: str,
    encode_type: str,
    force: bool,
) -> None:
    """Show what the transform_param of a net's data layer makes of its images, or store it.

    The pixels are those that the net sees, before mean and scale; what is blanked out is the mean.  Copy k of an image
    is by the draws of epoch k.  A database holds one epoch after another: its records are of copy 0, then of copy 1,
    and so on, each with its label.
    """
    if not preview and not database:
        raise click.UsageError("--preview or --out says what is to be made")
    if preview is not None and os.path.splitext(preview)[1][1:].lower() not in FORMATS:
        raise click.BadParameter(f"{preview} ends with none of .{', .'.join(FORMATS)}", param_hint="--preview")
    if encode_type and encode_type.lower() not in FORMATS:
        raise click.BadParameter(f"{encode_type!r} is none of {', '.join(FORMATS)}", param_hint="--encode-type")
    if preview is not None:
        check_writable(preview)
    choice, solver = target(net, PHASES.index(phase.upper()), level, stages)
    if seed is None:
        of_solver = solver.message.random_seed if solver is not None else -1
        seed = of_solver if of_solver >= 0 else random.new_seed()
    records = AugmentedRecords(choice, seed=seed, name=name)
    with contextlib.closing(records):
        if preview is not None:
            count = min(samples or SAMPLES, len(records))
            _show(records, count, copies or COPIES, preview)
            click.echo(f"{preview}: {count} images, {copies or COPIES} copies of each, by seed {seed}")
        if database is not None:
            count = min(samples or len(records), len(records))
            with create_database(database, backend, overwrite=force) as writer:
                total = count * (copies or 1)
                with (
                    progress(total, "augmenting") as done,
                    contextlib.closing(_made(records, count, total, encode_type)) as made,
                ):
                    for number, value in enumerate(made):
                        writer.put(f"{number:08d}".encode(), value)
                        done(number + 1)
            click.echo(f"{database}: {total} records, {copies or 1} of each of {count} images, by seed {seed}")


def _show(records: AugmentedRecords, samples: int, copies: int, path: str) -> None:
    rows = []
    for number in range(samples):
        image, label, _ = records.original(number)
        row = [(image, f"{number}: label {label}, {size_text(image.shape)}")]
        for copy in range(copies):
            made = records.copy(number, copy)
            row.append((made.image, made.words or "as it is"))
        rows.append(row)
    kind = FORMATS[os.path.splitext(path)[1][1:].lower()]
    picture = sheet(rows)
    atomic_write(path, lambda stream: picture.save(stream, kind))


def _made(records: AugmentedRecords, count: int, total: int, encode_type: str) -> Generator[bytes, None, None]:
    """The records of a database in their order, made by several threads."""

    def make(number: int) -> bytes:
        made = records.copy(number % count, number // count)
        if encode_type:
            return write_encoded_datum(encode_image(made.image, encode_type), made.label)
        return write_datum(made.image, made.label)

    workers = usable_cpus()
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future[bytes]] = deque()
        for number in range(total):
            waiting.append(pool.submit(make, number))
            if len(waiting) >= AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
