"""`netcli compute-mean`: the mean image of a database, as Caffe's compute_image_mean."""

from __future__ import annotations

import sys
from contextlib import nullcontext

import click
import numpy as np

from netcli.arrays.layout import size_text
from netcli.errors import DataError
from netcli.snapshots import check_writable, write_blob
from netcli.sources.database import BACKENDS, LMDB, Database, open_database
from netcli.sources.datum import read_datum


def mean_image(database: Database) -> np.ndarray:
    """The mean of all records, (C, H, W) float64; raises DataError where one differs in size from the first."""
    first, _ = _image(database, 0)
    total = np.zeros(first.shape, np.float64)
    on_terminal = sys.stderr.isatty()
    indices = range(len(database))
    with click.progressbar(indices, label="reading", file=sys.stderr) if on_terminal else nullcontext(indices) as bar:
        for index in bar:
            image, key = _image(database, index)
            if image.shape != total.shape:
                raise DataError(
                    f"{database.path}: record {index} ('{key}') is {size_text(image.shape)}, the first is "
                    f"{size_text(total.shape)}; a mean image needs images of one size"
                )
            total += image
    return total / len(database)


def _image(database: Database, index: int) -> tuple[np.ndarray, str]:
    key, value = database[index]
    name = key.decode(errors="replace")
    try:
        return read_datum(value)[0], name
    except DataError as fault:
        raise DataError(f"{database.path}: record {index} ('{name}'): {fault.message}") from None


@click.command()
@click.argument("database", metavar="DB")
@click.argument("out", required=False)
@click.option(
    "--backend", type=click.Choice(BACKENDS), default=LMDB, show_default=True, help="For a folder that holds both."
)
def command(database: str, out: str | None, backend: str) -> None:
    """Compute the mean image of DB, write it to OUT (a .binaryproto, for mean_file), and print the channels' means.

    The lines printed may stand in a transform_param as they are; the channels are blue, green, red.
    """
    if out:
        check_writable(out)
    with open_database(database, backend) as reader:
        mean = mean_image(reader)
    if out:
        write_blob(out, mean[None].astype(np.float32))
    for value in mean.mean(axis=(1, 2)):
        click.echo(f"mean_value: {value:.6g}")
