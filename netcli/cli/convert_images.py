"""`netcli convert-images`: images to a database, as Caffe's convert_imageset."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO

import click
import numpy as np

from netcli.arrays import random
from netcli.arrays.layout import Shape, size_text
from netcli.arrays.threads import usable_cpus
from netcli.cli.screen import Screen
from netcli.errors import DataError
from netcli.snapshots import atomic_write
from netcli.sources.database import BACKENDS, LMDB, DatabaseWriter, create_database, open_database
from netcli.sources.datum import read_datum
from netcli.sources.image_file import FORMATS, JPEG_QUALITY
from netcli.sources.image_list import named, read_list
from netcli.sources.image_records import FITS, Recipe, Record, make_record
from netcli.sources.image_sets import Classes, ImageSet, Listed
from netcli.training.progress import duration

CHUNK = 16  # images that a worker takes at a time
PATIENCE = 100  # unreadable images beyond the limit that are looked for, so that they can be mended at once
AHEAD = 4  # chunks for each worker that are made before their turn to be written

Outcome = Record | DataError


def outcomes(
    images: ImageSet, order: Sequence[int], first: int, recipe: Recipe, workers: int
) -> Generator[tuple[int, Outcome], None, None]:
    """Numbers and records from number `first` on, in order, each as soon as it is ready, or what is wrong with it."""

    def make(numbers: range) -> list[tuple[int, Outcome]]:
        return [(number, _outcome(images, order[number], number, recipe)) for number in numbers]

    chunks: Iterator[range] = (
        range(begin, min(begin + CHUNK, len(order))) for begin in range(first, len(order), CHUNK)
    )
    pool = ThreadPoolExecutor(workers, thread_name_prefix="netcli convert")
    try:
        waiting: deque[Future[list[tuple[int, Outcome]]]] = deque()
        for chunk in chunks:
            waiting.append(pool.submit(make, chunk))
            if len(waiting) >= AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _outcome(images: ImageSet, index: int, number: int, recipe: Recipe) -> Outcome:
    try:
        return make_record(images, index, number, recipe)
    except DataError as fault:
        return fault


class Conversion:
    """The records of a set of images, written to a database.

    order     which image is at which number
    most_bad  images that may be unreadable
    faults    what is wrong with those that are
    """

    def __init__(
        self, images: ImageSet, order: Sequence[int], recipe: Recipe, check_size: bool, most_bad: int, screen: Screen
    ) -> None:
        self._images, self._order, self._recipe = images, order, recipe
        self._check_size, self._most_bad, self._screen = check_size, most_bad, screen
        self._first: tuple[Shape, str] | None = None  # shape and name of the first
        self.faults: list[str] = []

    def run(self, database: DatabaseWriter, path: str, workers: int) -> None:
        """Write what is not there yet."""
        begin = self._go_on(database.written)
        if begin:
            self._screen.say(f"{path}: goes on behind record {begin - 1} of an interrupted run")
        started, done = time.monotonic(), 0
        with closing(outcomes(self._images, self._order, begin, self._recipe, workers)) as made:
            for number, outcome in made:
                done += 1
                if isinstance(outcome, DataError):
                    self.faults.append(str(outcome))
                    self.check_bad(path, number + 1, PATIENCE)
                    continue
                self._same_size(outcome.shape, outcome.key)
                database.put(outcome.key, outcome.value)
                if self._screen.due():
                    self._screen.progress(self._progress(number + 1, done, time.monotonic() - started))
        self._screen.clear()
        self.check_bad(path, len(self._order))

    def _go_on(self, written: Sequence[bytes]) -> int:
        """The number to go on with; images that were passed over before it are tried again, to tell of them."""
        if not written:
            return 0
        last = int(written[-1][:8])
        there = {int(key[:8]) for key in written}
        for number in range(last):
            if number not in there:
                outcome = _outcome(self._images, self._order[number], number, self._recipe)
                self.faults.append(
                    str(outcome) if isinstance(outcome, DataError) else f"record {number} is passed over"
                )
        if self._check_size:
            number = int(written[0][:8])
            first = make_record(self._images, self._order[number], number, self._recipe)
            self._same_size(first.shape, first.key)
        return last + 1

    def check_bad(self, path: str, tried: int, more: int = 0) -> None:
        """Raise DataError where more images are unreadable than may be, and `more` beside."""
        if len(self.faults) > self._most_bad + more or len(self.faults) == len(self._order):
            raise DataError(f"{named(self.faults, tried, 'image')} unreadable, and {path} was not made")

    def _same_size(self, shape: Shape, key: bytes) -> None:
        name = key.decode(errors="replace")
        self._first = self._first or (shape, name)
        if self._check_size and shape != self._first[0]:
            raise DataError(f"image {name} is {size_text(shape)}, the first is {size_text(self._first[0])}")

    def _progress(self, number: int, done: int, seconds: float) -> str:
        rate = done / max(seconds, 1e-9)
        left = duration((len(self._order) - number) / rate)
        bad = f", {len(self.faults)} unreadable" if self.faults else ""
        return f"{number} of {len(self._order)} images, {rate:.0f} a second, {left} left{bad}"


def image_set(root: str, list_file: str | None) -> ImageSet:
    """Images of a list, or of the folders below a folder or in an archive."""
    return Classes(root) if list_file is None else Listed(read_list(list_file), root)


def job_of(images: ImageSet, order: Sequence[int], recipe: Recipe, root: str) -> str:
    """What makes two conversions the same."""
    digest = hashlib.blake2b(digest_size=16)
    for index in order:
        digest.update(f"{images.paths[index]}\0{int(images.labels[index])}\n".encode(errors="surrogateescape"))
    return f"convert-images 1\n{os.path.abspath(root)}\n{recipe}\n{digest.hexdigest()}\n"


def verify(path: str, count: int, screen: Screen) -> None:
    """Read every record again; raises DataError, which names the first that is not as it should be."""
    with open_database(path) as reader:
        if len(reader) != count:
            raise DataError(f"{path} holds {len(reader)} records, {count} were written")
        for number in range(count):
            key, value = reader[number]
            try:
                read_datum(value)
            except DataError as fault:
                raise DataError(
                    f"{path}: record {number} ('{key.decode(errors='replace')}'): {fault.message}"
                ) from None
            if screen.due():
                screen.progress(f"verifying: {number + 1} of {count}")
    screen.clear()


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
    if not all(side.isdigit() and 0 < int(side) <= 65535 for side in sides):
        raise click.BadParameter(f"'{text}' is not like 256 or 256x320, height first", ctx, param)
    return int(sides[0]), int(sides[1])


def _limit(ctx: click.Context, param: click.Parameter, text: str | None) -> float | int | None:
    """A number of images, or a fraction of them for a percentage."""
    if text is None:
        return None
    number = text.removesuffix("%")
    try:
        return float(number) / 100 if text.endswith("%") else int(number)
    except ValueError:
        raise click.BadParameter(f"'{text}' is neither a number of images nor a percentage", ctx, param) from None


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
@click.option("--workers", type=click.IntRange(1, 256), help="Threads.  Default: all cores.")
@click.option("--verify", "verifies", is_flag=True, help="Read every record again at the end.")
@click.option("--force", is_flag=True, help="Replace a database that is there.")
def command(root: str, rest: Sequence[str], **options: Any) -> None:
    """Make the database DB of the images in LIST, lines of `path label` with paths below the folder ROOT.

    Without LIST the images are those below ROOT, with a folder for each class; their names, in the order of the
    labels, go to the file DB.labels.txt.  ROOT may also be a zip or tar archive.

    An image that can't be read makes the command fail, with nothing left behind, unless --skip-unreadable or
    --max-bad allows it.  Interrupted or killed, the same command goes on where it was and makes the same file
    (an LMDB; a LevelDB is begun anew).
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
    orient: bool,
    check_size: bool,
    encoded: bool,
    encode_type: str,
    quality: int,
    skip_unreadable: bool,
    max_bad: float | None,
    report: Path | None,
    labels_file: Path | None,
    workers: int | None,
    verifies: bool,
    force: bool,
) -> None:
    """See `command`; returns nothing, and prints a line."""
    if not 1 <= len(rest) <= 2:
        raise click.UsageError("give ROOT LIST DB, or ROOT DB for a folder of classes or an archive of them")
    if bool(resize_width) != bool(resize_height):
        raise click.UsageError("--resize-width and --resize-height go together")
    size = (resize_height, resize_width) if resize_height else size
    if size and short_side:
        raise click.UsageError("--size and --short-side exclude each other")
    if encode_type and encode_type.lower() not in FORMATS:
        raise click.UsageError(f"--encode-type is one of {', '.join(FORMATS)}")
    database, list_file = rest[-1], rest[0] if len(rest) == 2 else None
    images = image_set(root, list_file)
    count = len(images.paths)
    repeatable = backend == LMDB and (not shuffle or seed is not None)  # by the same command
    if shuffle:
        seed = random.new_seed() if seed is None else seed
    order = random.permutation(seed or 0, "convert-images", 0, count) if shuffle else np.arange(count)
    recipe = Recipe(not gray, size, fit, short_side or 0, orient, encoded, encode_type, quality)
    if max_bad is None:
        most_bad = count if skip_unreadable else 0
    else:
        most_bad = int(max_bad * count) if isinstance(max_bad, float) else max_bad
    screen = Screen(sys.stderr, quiet=not sys.stderr.isatty())
    work = Conversion(images, order.tolist(), recipe, check_size, most_bad, screen)
    job = job_of(images, order.tolist(), recipe, root) if repeatable else ""
    try:
        with create_database(database, backend, overwrite=force, job=job) as writer:
            work.run(writer, database, workers or usable_cpus())
    except KeyboardInterrupt:
        screen.clear()
        if repeatable:
            click.echo(f"{database} is not finished; the same command goes on where it was", err=True)
        raise
    finally:
        images.close()
        screen.close()
        if report is not None and work.faults:
            _write_lines(report, work.faults)
    bad = len(work.faults)
    if verifies:
        verify(database, count - bad, screen)
    if images.classes:
        names = labels_file or Path(f"{os.path.normpath(database)}.labels.txt")
        _write_lines(names, images.classes)
    click.echo(
        f"{database}: {count - bad} records"
        + (f" of {len(images.classes)} classes" if images.classes else "")
        + (f", shuffled by seed {seed}" if shuffle else "")
        + (f"; {named(work.faults, count, 'image')} left out" if bad else "")
    )
