"""`netcli parse-log`: the numbers of a training log as tables, as Caffe's parse_log.py."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Sequence
from typing import BinaryIO

import click

from netcli.errors import NetcliError, Place
from netcli.snapshots import atomic_write
from netcli.training.finite import finite
from netcli.training.log_parser import Log, Row, fields, read_log


@click.command(short_help="Write the numbers of a training log as tables.")
@click.argument("log", metavar="LOG")
@click.argument("folder", metavar="[OUTDIR]", default=".")
@click.option("--delimiter", default=",", show_default=True, help="Between columns; \\t is a tab.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead, and write no file.")
def command(log: str, folder: str, delimiter: str, as_json: bool) -> None:
    """Write OUTDIR/LOG.train and OUTDIR/LOG.test, the outputs that the log of a training tells.

    LOG is Caffe's (a file that holds its stderr), a run folder, or its train.log or metrics.jsonl.  The columns are
    NumIters, Seconds, LearningRate and the outputs; OUTDIR is the current folder unless given.  A table without rows
    is not written.
    """
    found = read_log(log)
    if as_json:
        click.echo(json_text(found))
        return
    for line in write_tables(found, folder, delimiter):
        click.echo(line)


def json_text(log: Log) -> str:
    """Both tables as JSON; a number that is not finite is null."""
    tables = {"train": log.train, "test": log.test}
    return json.dumps(
        finite({"log": log.path, **{kind: [row.columns() for row in rows] for kind, rows in tables.items()}}),
        allow_nan=False,
    )


def write_tables(log: Log, folder: str, delimiter: str = ",") -> list[str]:
    """Write the tables of a log into a folder, named after it; returns what was done.  Raises NetcliError."""
    delimiter = "\t" if delimiter == "\\t" else delimiter
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise NetcliError(f"a delimiter is one character, such as , or ;, and not {delimiter!r}")
    if not os.path.isdir(folder):
        raise NetcliError("is no folder; the tables need one to be written to", place=Place(folder))
    done = []
    for kind, rows in (("train", log.train), ("test", log.test)):
        path = os.path.join(folder, f"{os.path.basename(log.path)}.{kind}")
        if not rows:
            done.append(f"Not writing {path}; no lines to write")
            continue
        content = table(rows, delimiter).encode(errors="surrogateescape")

        def write(stream: BinaryIO, content: bytes = content) -> None:
            stream.write(content)

        atomic_write(path, write)
        done.append(f"Wrote {path}")
    return done


def table(rows: Sequence[Row], delimiter: str) -> str:
    """Rows with their head, lines ended by CR LF; what a row does not tell is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fields(rows), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(row.columns() for row in rows)
    return text.getvalue()
