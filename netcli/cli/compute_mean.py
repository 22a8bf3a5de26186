"""`netcli compute-mean`: the mean image of a database, as Caffe's compute_image_mean, and more of its statistics."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import click
import numpy as np

from netcli.augment.statistics import color_statistics
from netcli.cli.options import threads_option
from netcli.cli.progress import progress
from netcli.errors import DataError
from netcli.prototxt import to_text
from netcli.prototxt.write import float_text
from netcli.snapshots import check_writable, write_blob
from netcli.snapshots.atomic import atomic_stream
from netcli.sources.database import BACKENDS, LMDB
from netcli.sources.moments import MOST_CHANNELS, Moments, moments_of
from netcli.sources.record_set import open_records

ENDING = ".colors.prototxt"  # of the file of a mean's name that holds the colours' statistics


@click.command(short_help="Compute the mean image, and the colours' statistics.")
@click.argument("source", metavar="DB-or-LIST")
@click.argument("out", required=False)
@click.option("--std", is_flag=True, help="Print the channels' standard deviations too, as comments.")
@click.option("--pca", is_flag=True, help="The principal axes of the colours too, for transform_param's pca_jitter.")
@click.option(
    "--pca-file", metavar="FILE", help=f"Where --pca writes them; default: OUT, ending with {ENDING}, if there is one."
)
@click.option("--root", default="", help="What the paths of a LIST begin with.")
@click.option("--gray", is_flag=True, help="Read a LIST's images, or a database's encoded ones, as 1 channel.")
@click.option(
    "--backend", type=click.Choice(BACKENDS), default=LMDB, show_default=True, help="For a folder that holds both."
)
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    source: str,
    out: str | None,
    std: bool,
    pca: bool,
    pca_file: str | None,
    root: str,
    gray: bool,
    backend: str,
    threads: int | None,
    as_json: bool,
) -> None:
    """Compute the mean image of a database, or of a list of images, and print the channels' means.

    The mean image is written to OUT, a .binaryproto for mean_file; its images must be of one size.  Without OUT they
    may differ.  The lines printed may stand in a transform_param as they are; the channels are blue, green, red.

    With --pca come the eigenvalues and eigenvectors of the channels' covariance over all pixels: as a pca_jitter for a
    transform_param, and in a file (text of a ColorStatistics) for its statistics_file.
    """
    pca = pca or pca_file is not None
    if pca and pca_file is None and out is not None:
        pca_file = os.path.splitext(out)[0] + ENDING
    for path in filter(None, (out, pca_file)):
        check_writable(path)
    with (
        closing(open_records(source, root=root, backend=backend, gray=gray)) as records,
        progress(len(records), "reading") as told,
    ):
        channels = len(records.decode(records.fetch(0))[0])
        if pca and channels > MOST_CHANNELS:
            raise DataError(f"{source} has {channels} channels; principal axes are taken of at most {MOST_CHANNELS}")
        found = moments_of(records, one_size=out is not None, threads=threads, told=told)
    statistics = None
    if found.covariance is not None:
        statistics = color_statistics(found.mean, found.covariance, found.images, found.pixels)
    if out is not None:
        write_blob(out, found.mean_image[None].astype(np.float32))
    if pca_file is not None and statistics is not None:
        with atomic_stream(pca_file) as stream:
            stream.write(to_text(statistics).encode())
    click.echo(json_text(found, statistics) if as_json else "\n".join(lines(found, std, statistics if pca else None)))


def lines(found: Moments, std: bool, statistics: Any) -> Iterator[str]:
    """What may stand in a transform_param; statistics: None leaves out the principal axes."""
    for value in found.mean:
        yield f"mean_value: {value:.6g}"
    if std:
        for value in found.std:
            yield f"# standard deviation: {value:.6g}"
    if statistics is not None:
        yield "pca_jitter {"
        for name in ("eigenvalue", "eigenvector"):
            for value in getattr(statistics, name):
                yield f"  {name}: {float_text(np.float32(value))}"
        yield "}"


def json_text(found: Moments, statistics: Any) -> str:
    """All of them as JSON: `eigenvector` has a row for each axis; null where there are too many channels."""
    shape = (found.channels, found.channels)
    return json.dumps(
        {
            "images": found.images,
            "pixels": found.pixels,
            "mean": found.mean.tolist(),
            "std": found.std.tolist(),
            "eigenvalue": None if statistics is None else list(statistics.eigenvalue),
            "eigenvector": None if statistics is None else np.reshape(statistics.eigenvector, shape).tolist(),
        },
        indent=2,
    )
