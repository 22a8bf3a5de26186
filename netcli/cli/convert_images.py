"""`netcli convert-images`: a list of images to a database, as Caffe's convert_imageset."""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass

import click
import numpy as np

from netcli.arrays import random
from netcli.arrays.layout import Shape, size_text
from netcli.arrays.resize import resize
from netcli.arrays.threads import usable_cpus
from netcli.errors import DataError
from netcli.sources.database import BACKENDS, LMDB, DatabaseWriter, create_database
from netcli.sources.datum import write_datum, write_encoded_datum
from netcli.sources.image_file import FORMATS, encode_image, read_image
from netcli.sources.image_list import ImageList, named, prefix_of, read_list

AHEAD = 8  # images for each worker that are decoded before their turn to be written


@dataclass(frozen=True)
class Recipe:
    """How an image file becomes a record."""

    color: bool
    height: int  # 0: as it is
    width: int
    encoded: bool
    encode_type: str  # "": by the file's name


@dataclass(frozen=True)
class Record:
    """An image ready to be written."""

    key: bytes
    value: bytes
    shape: Shape


def make_record(images: ImageList, index: int, number: int, prefix: str, recipe: Recipe) -> Record:
    """Entry `index` of a list as record `number`; raises DataError, which names the line and the file."""
    path, label = images.paths[index], int(images.labels[index])
    file = prefix + path
    try:
        image = read_image(file, recipe.color)
        if recipe.height:
            image = resize(image, recipe.height, recipe.width)
        if recipe.encoded or recipe.encode_type:
            value = write_encoded_datum(_encoded(file, image, recipe), label)
        else:
            value = write_datum(image, label)
    except DataError as fault:
        raise DataError(f"{images.place(index)}: {fault.message}") from None
    return Record(f"{number:08d}_{path}".encode(errors="surrogateescape"), value, image.shape)


def _encoded(file: str, image: np.ndarray, recipe: Recipe) -> bytes:
    """The image in the type wanted: the file's own bytes where they are that already, as in Caffe.

    With --gray the image is encoded anew; Caffe would store a colour file as it is, and --gray be lost.
    """
    extension = os.path.splitext(file)[1][1:].lower()
    kind = recipe.encode_type.lower() or extension
    if recipe.color and not recipe.height and FORMATS.get(kind) == FORMATS.get(extension):
        with open(file, "rb") as stream:
            return stream.read()
    return encode_image(image, kind)


def records(
    images: ImageList, order: np.ndarray, prefix: str, recipe: Recipe
) -> Generator[Record | DataError, None, None]:
    """The records of a list in `order`, each as soon as it is ready, or what is wrong with it."""
    workers = usable_cpus()
    pool = ThreadPoolExecutor(workers)
    try:
        waiting: deque[Future[Record]] = deque()
        for number, index in enumerate(order.tolist()):
            waiting.append(pool.submit(make_record, images, index, number, prefix, recipe))
            if len(waiting) >= AHEAD * workers:
                yield _outcome(waiting.popleft())
        while waiting:
            yield _outcome(waiting.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _outcome(future: Future[Record]) -> Record | DataError:
    fault = future.exception()
    if fault is None:
        return future.result()
    if isinstance(fault, DataError):
        return fault
    raise fault


def write(database: DatabaseWriter, made: Iterable[Record | DataError], total: int, check_size: bool) -> list[str]:
    """Write the records; returns what was wrong with the others.  Raises DataError where sizes differ and may not."""
    faults: list[str] = []
    first: Shape | None = None
    on_terminal = sys.stderr.isatty()
    with (
        click.progressbar(made, total, label="converting", file=sys.stderr) if on_terminal else nullcontext(made) as bar
    ):
        for record in bar:
            if isinstance(record, DataError):
                faults.append(str(record))
                continue
            first = first or record.shape
            if check_size and record.shape != first:
                name = record.key.decode(errors="replace")
                raise DataError(f"image {name} is {size_text(record.shape)}, the first is {size_text(first)}")
            database.put(record.key, record.value)
    return faults


@click.command()
@click.argument("root")
@click.argument("list_file", metavar="LIST")
@click.argument("database", metavar="DB")
@click.option("--gray", is_flag=True, help="One channel instead of three (BGR).")
@click.option("--shuffle", is_flag=True, help="Write the records in random order.")
@click.option("--seed", type=int, help="For --shuffle: the same seed gives the same order.")
@click.option("--backend", type=click.Choice(BACKENDS), default=LMDB, show_default=True)
@click.option("--resize-width", type=click.IntRange(0), default=0, help="Pixels; with --resize-height.")
@click.option("--resize-height", type=click.IntRange(0), default=0, help="Pixels; with --resize-width.")
@click.option("--check-size", is_flag=True, help="Refuse images of different sizes.")
@click.option("--encoded", is_flag=True, help="Store image files instead of their pixels.")
@click.option("--encode-type", default="", help="The kind of file to store, such as png or jpg; implies --encoded.")
@click.option("--skip-unreadable", is_flag=True, help="Leave out images that can't be read, and say how many.")
@click.option("--force", is_flag=True, help="Replace a database that is there.")
def command(
    root: str,
    list_file: str,
    database: str,
    gray: bool,
    shuffle: bool,
    seed: int | None,
    backend: str,
    resize_width: int,
    resize_height: int,
    check_size: bool,
    encoded: bool,
    encode_type: str,
    skip_unreadable: bool,
    force: bool,
) -> None:
    """Make a database of the images in LIST, lines of `path label` with paths below the folder ROOT.

    An image that can't be read makes the command fail, with nothing left behind, unless --skip-unreadable is given.
    """
    if bool(resize_width) != bool(resize_height):
        raise click.UsageError("--resize-width and --resize-height go together")
    if encode_type and encode_type.lower() not in FORMATS:
        raise click.UsageError(f"--encode-type is one of {', '.join(FORMATS)}")
    images = read_list(list_file)
    order = np.arange(len(images))
    if shuffle:
        seed = random.new_seed() if seed is None else seed
        order = random.permutation(seed, "convert-images", 0, len(images))
    recipe = Recipe(not gray, resize_height, resize_width, encoded, encode_type)
    made = records(images, order, prefix_of(root), recipe)
    with create_database(database, backend, overwrite=force) as writer, closing(made):
        faults = write(writer, made, len(images), check_size)
        if faults and (not skip_unreadable or len(faults) == len(images)):
            raise DataError(f"{named(faults, len(images), 'image')} unreadable, and {database} was not made")
    click.echo(
        f"{database}: {len(images) - len(faults)} records"
        + (f", shuffled by seed {seed}" if shuffle else "")
        + (f"; {named(faults, len(images), 'image')} left out" if faults else "")
    )
