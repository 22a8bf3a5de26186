"""`netcli db get`: one record, to a file."""

from __future__ import annotations

import os
from contextlib import closing

import click

from netcli.arrays.layout import size_text
from netcli.cli.db_commands.options import backend_option
from netcli.errors import DataError
from netcli.snapshots.atomic import atomic_stream
from netcli.sources.database import open_database
from netcli.sources.datum import datum_facts, encoded_bytes
from netcli.sources.image_file import FORMATS, encode_image
from netcli.sources.record_set import DatabaseRecords, Stored
from netcli.sources.visible import as_bytes

RAW = (".datum", ".bin")


@click.command(short_help="One record, to a file.")
@click.argument("database", metavar="DB")
@click.argument("out", metavar="OUT")
@backend_option
@click.option("--record", type=int, help="By its number, from 0; below 0: from the end.")
@click.option("--key", help="By its key.")
@click.option("--raw", is_flag=True, help="Write the Datum as it is stored, whatever OUT's name.")
def command(database: str, out: str, backend: str, record: int | None, key: str | None, raw: bool) -> None:
    """Write a record of a database to OUT: an image (by the name's ending: .png, .jpg, ...), or a Datum (.datum, .bin).

    An image that is stored as a file of that kind is given with its own bytes.  Numbers that are no bytes are stretched
    to 0..255, with a warning.  Of a Datum nothing is changed.
    """
    if (record is None) == (key is None):
        raise click.UsageError("give --record or --key")
    ending = os.path.splitext(out)[1].lower()
    raw = raw or ending in RAW
    if not raw and ending[1:] not in FORMATS:
        raise click.UsageError(f"OUT ends with one of .{', .'.join(FORMATS)}, or {' or '.join(RAW)} for the Datum")
    with closing(DatabaseRecords(open_database(database, backend))) as records:
        fetched = _by_key(records, key) if key is not None else _by_number(records, record or 0)
        data = fetched.value if raw else _image(records, fetched, ending[1:])
    with atomic_stream(out) as stream:
        stream.write(data)
    try:
        form, shape, label = datum_facts(fetched.value)
        what = f"{size_text(shape)}, label {label}, stored as {form}"
    except DataError as fault:
        what = fault.message
    click.echo(f"{out}: {records.name(fetched)}: {what}")


def _by_number(records: DatabaseRecords, number: int) -> Stored:
    count = len(records)
    if not -count <= number < count:
        raise DataError(f"{records.path} has {count} records, numbered from 0; there is no record {number}")
    return records.fetch(number % count)


def _by_key(records: DatabaseRecords, key: str) -> Stored:
    found = records.find(os.fsencode(key))
    if found is None:
        raise DataError(f"{records.path} has no record with the key '{key}'")
    return found


def _image(records: DatabaseRecords, fetched: Stored, kind: str) -> bytes:
    try:
        form, _, _ = datum_facts(fetched.value)
        held = encoded_bytes(fetched.value)
    except DataError as fault:
        raise DataError(f"{records.name(fetched)}: {fault.message}; --raw gives it as it is") from None
    if held is not None and form == FORMATS[kind]:
        return held
    image, _ = records.decode(fetched)
    if form == "floats":
        click.echo(f"warning: {records.name(fetched)} has floats, stretched to 0..255", err=True)
    if len(image) not in (1, 3, 4):
        raise DataError(f"{records.name(fetched)} has {len(image)} channels; an image file has 1, 3 or 4")
    return encode_image(as_bytes(image)[:3], kind)
