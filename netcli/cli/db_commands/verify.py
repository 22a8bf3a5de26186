"""`netcli db verify`: whether every record of a database can be used."""

from __future__ import annotations

import json
import sys
from contextlib import closing

import click

from netcli.cli.db_commands.options import backend_option
from netcli.cli.options import threads_option
from netcli.cli.progress import progress
from netcli.sources.database import open_database
from netcli.sources.record_check import check_records
from netcli.sources.record_set import DatabaseRecords

SHOWN = 20  # faults that are printed unless all are asked for


@click.command(short_help="Whether every record can be used.")
@click.argument("database", metavar="DB")
@backend_option
@click.option("--classes", type=click.IntRange(min=1), metavar="N", help="Labels must be in 0..N-1.")
@click.option("--check-size", is_flag=True, help="Images must be of one size.")
@click.option("--all", "every", is_flag=True, help=f"Print all faults, not the first {SHOWN}.")
@threads_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with all faults.")
def command(
    database: str,
    backend: str,
    classes: int | None,
    check_size: bool,
    every: bool,
    threads: int | None,
    as_json: bool,
) -> None:
    """Parse and decode every record of a database, and look at labels and keys; a line for each fault.

    The exit status is 1 where there is a fault, 2 where the database can't be opened.
    """
    with (
        closing(DatabaseRecords(open_database(database, backend))) as records,
        progress(len(records), "verifying") as told,
    ):
        found = check_records(records, classes=classes, one_size=check_size, threads=threads, told=told)
    if as_json:
        click.echo(
            json.dumps(
                {"path": database, "records": found.checked, "faults": found.faults, "notes": found.notes}, indent=2
            )
        )
    else:
        for fault in found.faults if every else found.faults[:SHOWN]:
            click.echo(fault)
        if len(found.faults) > SHOWN and not every:
            click.echo(f"and {len(found.faults) - SHOWN} more; --all prints them")
        for note in found.notes:
            click.echo(f"note: {note}")
        faults = "no fault" if not found.faults else f"{len(found.faults)} fault{'' if len(found.faults) == 1 else 's'}"
        click.echo(f"{database}: {found.checked} records, {faults}")
    if found.faults:
        sys.exit(1)
