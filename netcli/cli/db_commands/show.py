"""`netcli db show`: records as lines of text, or on a sheet."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from typing import Any

import click
import numpy as np

from netcli.arrays import random
from netcli.arrays.layout import size_text
from netcli.augment.sheet import Picture, sheet
from netcli.cli import table
from netcli.cli.db_commands.options import backend_option
from netcli.cli.ranking import read_labels
from netcli.errors import DataError
from netcli.snapshots import check_writable
from netcli.snapshots.atomic import atomic_stream
from netcli.sources.database import open_database
from netcli.sources.datum import datum_facts
from netcli.sources.image_file import FORMATS
from netcli.sources.record_set import DatabaseRecords, Stored
from netcli.sources.visible import as_bytes, in_colours

LIMIT = 1000  # images on a sheet
LINES, IMAGES = 20, 100  # shown where no count is given


@click.command(short_help="Records as lines of text, or on a sheet.")
@click.argument("database", metavar="DB")
@backend_option
@click.option("--out", metavar="FILE", help="Draw the images on a sheet, a PNG or JPEG, instead of printing lines.")
@click.option("--start", type=click.IntRange(min=0), default=0, help="The first record shown, from 0.")
@click.option("--count", type=click.IntRange(min=1), help=f"Default: {LINES} lines, {IMAGES} images.")
@click.option("--shuffle", is_flag=True, help="Show records picked at random.")
@click.option("--seed", type=int, help="For --shuffle: the same seed picks the same.")
@click.option("--label", "only", type=int, multiple=True, help="Show records of this label alone; may be repeated.")
@click.option("--labels", metavar="FILE", help="The classes' names, one a line.")
@click.option("--columns", type=click.IntRange(min=1), help="Of the sheet; default: about as many as rows.")
@click.option(
    "--side",
    type=click.IntRange(16, 1024),
    default=96,
    show_default=True,
    help="Least pixels of an image on the sheet.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def command(
    database: str,
    backend: str,
    out: str | None,
    start: int,
    count: int | None,
    shuffle: bool,
    seed: int | None,
    only: tuple[int, ...],
    labels: str | None,
    columns: int | None,
    side: int,
    as_json: bool,
) -> None:
    """Show records of a database: number, key, label, size and how they are stored; or, with --out, their images.

    A record that is broken is shown as such.
    """
    if shuffle and start:
        raise click.UsageError("--start and --shuffle exclude each other")
    names = read_labels(labels)
    count = count or (IMAGES if out else LINES)
    if out is not None:
        _check_sheet(out, count)
    with closing(DatabaseRecords(open_database(database, backend))) as records:
        if start >= len(records):
            raise DataError(f"{database} has {len(records)} records, numbered from 0; there is no record {start}")
        order = range(start, len(records))
        if shuffle:
            order = random.permutation(random.new_seed() if seed is None else seed, "show", 0, len(records)).tolist()
        found = _picked(records, order, only, count)
        if out is not None:
            pictures = (_picture(records, fetched, names) for fetched in found)
            wide = columns or math.ceil(math.sqrt(len(found)))
            # Rows are made as they are drawn: of images that may be large, no more than one is held.
            picture = sheet((islice(pictures, wide) for _ in range(0, len(found), wide)), side)
            with atomic_stream(out) as stream:
                picture.save(stream, FORMATS[out.rpartition(".")[2].lower()])
            click.echo(f"{out}: {len(found)} images")
        elif as_json:
            click.echo("\n".join(json.dumps(_facts(fetched)) for fetched in found))
        else:
            click.echo("\n".join(_lines(list(map(_facts, found)), names)))


def _check_sheet(out: str, count: int) -> None:
    if out.rpartition(".")[2].lower() not in ("png", "jpg", "jpeg"):
        raise click.UsageError("a sheet's name ends with .png or .jpg")
    if count > LIMIT:
        raise click.UsageError(f"a sheet has at most {LIMIT} images")
    check_writable(out)


def _picked(records: DatabaseRecords, order: Iterable[int], only: tuple[int, ...], count: int) -> list[Stored]:
    """The first `count` records in an order, of those labels where any are asked for; raises DataError for none."""
    fetched = map(records.fetch, order)
    found = list(islice((each for each in fetched if not only or _facts(each).get("label") in only), count))
    if not found:
        raise DataError(f"{records.path} has no record of label {' or '.join(map(str, only))}")
    return found


def _facts(fetched: Stored) -> dict[str, Any]:
    facts: dict[str, Any] = {"record": fetched.number, "key": fetched.shown_key, "bytes": len(fetched.value)}
    try:
        form, shape, label = datum_facts(fetched.value)
    except DataError as fault:
        return facts | {"error": fault.message}
    return facts | {"label": label, "shape": shape, "stored": form}


def _lines(facts: list[dict[str, Any]], names: list[str]) -> list[str]:
    rows = []
    for fact in facts:
        label = fact.get("label")
        name = "" if label is None or not 0 <= label < len(names) else f" {names[label]}"
        shown = "" if label is None else f"{label}{name}"
        stored = fact.get("stored") or f"broken: {fact['error']}"
        size = size_text(fact["shape"]) if "shape" in fact else ""
        rows.append([str(fact["record"]), fact["key"], shown, size, stored, f"{fact['bytes']:,}"])
    return table.lines(["record", "key", "label", "image", "stored", "bytes"], rows, left=5)


def _picture(records: DatabaseRecords, fetched: Stored, names: list[str]) -> Picture:
    try:
        image, label = records.decode(fetched)
    except DataError:
        return _nothing(), f"{fetched.number}: broken"
    name = names[label] if 0 <= label < len(names) else str(label)
    return as_bytes(in_colours(image)), f"{fetched.number}: {name}"


def _nothing() -> Any:
    """A cross, for an image that can't be decoded."""
    line = np.eye(32, dtype=bool)
    return np.where(line | line[::-1], 0, 224).astype(np.uint8)[None]
