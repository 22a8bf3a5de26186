"""`netcli convert-images`: images to a database, as Caffe's convert_imageset."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click
import numpy as np

from netcli.arrays import random
from netcli.arrays.interpolation import INTERPOLATIONS, LINEAR
from netcli.arrays.threads import usable_cpus
from netcli.cli.db_commands.options import shards_option
from netcli.cli.screen import Screen
from netcli.errors import DataError
from netcli.snapshots import atomic_write, check_writable
from netcli.sources.conversion import Conversion, verify, write_vectors
from netcli.sources.database import BACKENDS, LMDB, create_database, keys_in
from netcli.sources.image_file import FORMATS, JPEG_QUALITY
from netcli.sources.image_list import named, read_list, read_vectors
from netcli.sources.image_records import FITS, Recipe
from netcli.sources.image_sets import Classes, ImageSet, Listed
from netcli.sources.shard_writer import ShardWriter
from netcli.sources.sharded_conversion import convert_to_shards, vectors_to_shards
from netcli.sources.shards import Shards, shards_of
from netcli.training.durations import duration


def _check_together(*rules: tuple[str, bool]) -> None:
    """Raise UsageError by the first rule that is broken."""
    for sentence, broken in rules:
        if broken:
            raise click.UsageError(sentence)


def image_set(root: str, list_file: str | None, vectors: int | None) -> tuple[ImageSet, np.ndarray | None]:
    """Images of a list, or of the folders below a folder or in an archive; and the vectors of a list that has them."""
    if list_file is None:
        return Classes(root), None
    if vectors is None:
        return Listed(read_list(list_file), root), None
    images, numbers = read_vectors(list_file, vectors)
    return Listed(images, root), numbers


def _verified(screen: Screen, done: int) -> None:
    if screen.due():
        screen.progress(f"verified {done} records")


class Telling:
    """Progress of a conversion, on the screen."""

    def __init__(self, screen: Screen, count: int, faults: Sequence[str]) -> None:
        self._screen, self._count, self._faults = screen, count, faults
        self._started = time.monotonic()

    def __call__(self, done: int, now: int) -> None:
        """done: images; now: of them in this run"""
        if self._screen.due():
            rate = now / max(time.monotonic() - self._started, 1e-9)
            bad = f", {len(self._faults)} unreadable" if self._faults else ""
            left = duration((self._count - done) / rate)
            self._screen.progress(f"{done} of {self._count} images, {rate:.0f} a second, {left} left{bad}")


def _check_writable(files: Sequence[Path | None], database: str) -> None:
    """Raise SnapshotError by a file that could not be written at the end; folders above the database will be there."""
    made = Path(os.path.abspath(database)).parents
    for file in files:
        if file is not None and (file.parent.exists() or Path(os.path.abspath(file)).parent not in made):
            check_writable(str(file))


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    content = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")

    def write(stream: BinaryIO) -> None:
        stream.write(content)

    atomic_write(str(path), write)


def _size(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.partition("x")
    sides = [height, width or height]
    if not all(side.isdecimal() and 0 < int(side) <= 65535 for side in sides):
        raise click.BadParameter(f"'{text}' is not like 256 or 256x320, height first", ctx, param)
    return int(sides[0]), int(sides[1])


def _limit(ctx: click.Context, param: click.Parameter, text: str | None) -> float | int | None:
    """A number of images, or a fraction of them for a percentage."""
    if text is None:
        return None
    number = text.removesuffix("%")
    try:
        limit = float(number) / 100 if text.endswith("%") else int(number)
        if 0 <= limit < float("inf"):
            return limit
    except ValueError:
        pass
    raise click.BadParameter(f"'{text}' is neither a number of images nor a percentage", ctx, param)


@click.command()
@click.argument("root")
@click.argument("rest", metavar="[LIST] DB", nargs=-1)
@click.option("--gray", is_flag=True, help="One channel instead of three (BGR).")
@click.option("--shuffle", is_flag=True, help="Write the records in random order.")
@click.option("--seed", type=int, help="For --shuffle: the same seed gives the same order.")
@click.option("--backend", type=click.Choice(BACKENDS), default=LMDB, show_default=True)
@click.option("--size", callback=_size, metavar="HxW", help="Bring images to this size, in pixels.")
@click.option("--fit", type=click.Choice(FITS), default="warp", show_default=True, help="How --size is reached.")
@click.option("--short-side", type=click.IntRange(1, 65535), help="Bring the short side to this, in proportion.")
@click.option("--resize-width", type=click.IntRange(0), default=0, help="Pixels; with --resize-height, as --size.")
@click.option("--resize-height", type=click.IntRange(0), default=0, help="Pixels; with --resize-width, as --size.")
@click.option(
    "--interpolation",
    type=click.Choice(INTERPOLATIONS),
    default=LINEAR,
    show_default=True,
    help="How pixels of another size are made; area is best to shrink by much.",
)
@click.option("--orient", is_flag=True, help="Turn images as their EXIF data say.")
@click.option("--check-size", is_flag=True, help="Refuse images of different sizes.")
@click.option("--encoded", is_flag=True, help="Store image files instead of their pixels.")
@click.option("--encode-type", default="", help="The kind of file to store, such as png or jpg; implies --encoded.")
@click.option(
    "--quality", type=click.IntRange(0, 100), default=JPEG_QUALITY, show_default=True, help="Of JPEGs made anew."
)
@click.option("--skip-unreadable", is_flag=True, help="Leave out images that can't be read, and say how many.")
@click.option("--max-bad", callback=_limit, metavar="N|N%", help="The same, but fail beyond so many.")
@click.option("--report", type=click.Path(path_type=Path), help="A text file for what is wrong with each such image.")
@click.option("--labels", "labels_file", type=click.Path(path_type=Path), help="For classes by folder: their names.")
@click.option(
    "--vectors",
    type=click.IntRange(1),
    metavar="K",
    help="LIST has K numbers behind each path: they go to a second database, DB_labels, and labels are 0.",
)
@shards_option("Make N databases,")
@click.option("--workers", type=click.IntRange(1, 256), help="Threads.  Default: all cores.")
@click.option("--verify", "verifies", is_flag=True, help="Read every record again at the end.")
@click.option("--force", is_flag=True, help="Replace a database of this name, in shards or not.")
def command(root: str, rest: Sequence[str], **options: Any) -> None:
    """Make the database DB of the images in LIST, lines of `path label` with paths below the folder ROOT.

    Without LIST the images are those below ROOT, with a folder for each class; their names, in the order of the
    labels, go to the file DB.labels.txt.  ROOT may also be a zip or tar archive.

    An image that can't be read makes the command fail, with nothing left behind, unless --skip-unreadable or
    --max-bad allows it.  Interrupted or killed, the same command goes on where it was and makes the same file
    (an LMDB; a LevelDB is begun anew, in shards the one that was not finished).
    """
    convert(root, rest, **options)


def convert(
    root: str,
    rest: Sequence[str],
    *,
    gray: bool,
    shuffle: bool,
    seed: int | None,
    backend: str,
    size: tuple[int, int] | None,
    fit: str,
    short_side: int | None,
    resize_width: int,
    resize_height: int,
    interpolation: str,
    orient: bool,
    check_size: bool,
    encoded: bool,
    encode_type: str,
    quality: int,
    skip_unreadable: bool,
    max_bad: float | None,
    report: Path | None,
    labels_file: Path | None,
    vectors: int | None,
    shard_count: int | None,
    workers: int | None,
    verifies: bool,
    force: bool,
) -> None:
    """See `command`; returns nothing, and prints a line."""
    if not 1 <= len(rest) <= 2:
        raise click.UsageError("give ROOT LIST DB, or ROOT DB for a folder of classes or an archive of them")
    database, list_file = rest[-1], rest[0] if len(rest) == 2 else None
    is_numbered = shard_count is not None and shards_of(database) is not None
    _check_together(
        ("--resize-width and --resize-height go together", bool(resize_width) != bool(resize_height)),
        ("--size and --short-side exclude each other", bool(size and short_side)),
        (f"--encode-type is one of {', '.join(FORMATS)}", bool(encode_type) and encode_type.lower() not in FORMATS),
        ("--vectors wants a LIST", vectors is not None and list_file is None),
        (f"--shards N makes DB@N: name DB without a number, not {database}", is_numbered),
    )
    _check_writable([report, labels_file], database)
    size = (resize_height, resize_width) if resize_height else size
    images, numbers = image_set(root, list_file, vectors)
    count = len(images.paths)
    shards = None if shard_count is None else Shards(os.path.normpath(database), shard_count)
    if shards is not None and shards.count > count:
        raise DataError(f"{count} image{'' if count == 1 else 's'} can't be dealt out to {shards.count} shards")
    # By the same command; an unfinished LevelDB can't be gone on with, but behind finished shards.
    repeatable = (backend == LMDB or shards is not None) and (not shuffle or seed is not None)
    if shuffle:
        seed = random.new_seed() if seed is None else seed
    order = random.permutation(seed or 0, "convert-images", 0, count) if shuffle else np.arange(count)
    recipe = Recipe(not gray, size, fit, short_side or 0, orient, encoded, encode_type, quality, interpolation)
    if max_bad is None:
        max_bad = 1.0 if skip_unreadable else 0
    most_bad = int(max_bad * count) if isinstance(max_bad, float) else max_bad
    screen = Screen(sys.stderr, quiet=not sys.stderr.isatty())
    work = Conversion(images, order.tolist(), recipe, check_size, most_bad)
    job = work.job(root) if repeatable else ""
    name = database if shards is None else shards.name
    labels = f"{os.path.normpath(database)}_labels"
    of_number = None if numbers is None else numbers[order]
    ways: Ways = (workers or usable_cpus(), Telling(screen, count, work.faults), partial(_resumed, screen, name))
    with closing(screen):
        try:
            if shards is None:
                work.run([(range(count), create_database(database, backend, overwrite=force, job=job))], name, *ways)
            else:
                _to_shards(work, shards, count, backend, force, job, ways, labels, of_number)
        except KeyboardInterrupt:
            screen.clear()
            if repeatable:
                click.echo(f"{name} is not finished; the same command goes on where it was", err=True)
            raise
        finally:
            images.close()
            if report is not None and work.faults:
                _write_lines(report, work.faults)
        if of_number is not None and shards is None:
            with create_database(labels, backend, overwrite=force) as writer:
                write_vectors(writer, keys_in(database), of_number)
        if images.classes:
            names = labels_file or Path(f"{os.path.normpath(database)}.labels.txt")
            _write_lines(names, images.classes)
        if verifies:
            verify(name, count - len(work.faults), partial(_verified, screen))
    click.echo(
        f"{name}: {count - len(work.faults)} records"
        + (f" of {len(images.classes)} classes" if images.classes else "")
        + (f", shuffled by seed {seed}" if shuffle else "")
        + (f"; {named(work.faults, count, 'image')} left out" if work.faults else "")
    )


Ways = tuple[int, Callable[[int, int], None], Callable[[int], None]]  # threads, and whom to tell


def _to_shards(
    work: Conversion,
    shards: Shards,
    count: int,
    backend: str,
    force: bool,
    job: str,
    ways: Ways,
    labels: str,
    of_number: np.ndarray | None,
) -> None:
    """The conversion, and for vectors a database `labels` in as many shards."""
    vectors = None if of_number is None else Shards(labels, shards.count)
    if job:
        digest = "" if of_number is None else hashlib.blake2b(of_number.tobytes(), digest_size=16).hexdigest()
        job += f"{shards.count} shards {backend} {digest}\n"
    paths = [shards.base] if vectors is None else [shards.base, vectors.base]
    with ShardWriter(paths, shards.count, backend, overwrite=force, job=job) as new:
        convert_to_shards(work, new, shards, count, *ways)
        if vectors is not None and of_number is not None:
            vectors_to_shards(new, shards, vectors, of_number)


def _resumed(screen: Screen, name: str, records: int) -> None:
    screen.say(f"{name}: goes on behind {records} records of an interrupted run")
