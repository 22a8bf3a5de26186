"""`netcli db info`: what a database holds, in numbers."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import click

from netcli.arrays.layout import size_text
from netcli.cli.db_commands.options import backend_option
from netcli.cli.progress import progress
from netcli.cli.table import size_of
from netcli.sources.database import LMDB, backend_of, open_database
from netcli.sources.lmdb_pages import map_size
from netcli.sources.lmdb_reader import DATA_FILE
from netcli.sources.record_set import DatabaseRecords
from netcli.sources.record_survey import Survey, bytes_on_disk, spread, survey
from netcli.sources.shards import ShardedReader, folders_of

SHOWN = 5  # kinds, sizes and faults that lines name


@dataclass
class Shard:
    """A part of a database."""

    path: str
    records: int
    disk_bytes: int


@dataclass
class Info:
    """A database, and what its records are."""

    path: str
    backend: str
    records: int
    first_key: str
    last_key: str
    disk_bytes: int
    map_bytes: int | None  # of an LMDB
    shards: list[Shard]  # of one in shards, in their order; else none
    survey: Survey


@click.command(short_help="What a database holds, in numbers.")
@click.argument("database", metavar="DB")
@backend_option
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Look at N records, evenly spread; else at all."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, sizes in bytes.")
def command(database: str, backend: str, sample: int | None, as_json: bool) -> None:
    """Show what a database holds: records, keys, sizes and channels of images, how they are stored, labels, bytes.

    Images are not decoded; `netcli db verify` does that.
    """
    found = info(database, backend, sample)
    click.echo(json_text(found) if as_json else "\n".join(lines(found)))


def info(path: str, backend: str, sample: int | None) -> Info:
    """Look at a database; raises DataError."""
    kind = backend_of(path, backend)
    with open_database(path, backend) as reader:
        records = DatabaseRecords(reader)
        indices = spread(len(records), sample)
        with progress(len(indices), "reading") as told:
            found = survey(records, indices, told)
        ends = [records.fetch(index).shown_key for index in (0, len(records) - 1)]
    folders = folders_of(path)
    sizes = [bytes_on_disk(folder) for folder in folders]
    shards = []
    if isinstance(reader, ShardedReader):
        shards = [Shard(*each) for each in zip(folders, reader.lengths, sizes, strict=True)]
    grows_to = sum(map_size(os.path.join(folder, DATA_FILE)) for folder in folders) if kind == LMDB else None
    return Info(path, kind, len(reader), ends[0], ends[1], sum(sizes), grows_to, shards, found)


def lines(found: Info) -> Iterator[str]:
    """The same for a person."""
    seen = found.survey
    kind = "LMDB" if found.backend == LMDB else "LevelDB"
    kind += f" in {len(found.shards)} shard{'' if len(found.shards) == 1 else 's'}" if found.shards else ""
    grows_to = "" if found.map_bytes is None else f", may grow to {size_of(found.map_bytes)}"
    yield f"{found.path}: {kind}, {found.records:,} records, {size_of(found.disk_bytes)} on disk{grows_to}"
    if found.shards:
        each = _records([shard.records for shard in found.shards])
        yield f"shards  {found.shards[0].path} to {found.shards[-1].path}, {each} each"
    if seen.looked_at < found.records:
        yield f"what follows is of {seen.looked_at:,} of them, evenly spread"
    yield f"keys    {_counted(seen.key_forms)}; '{found.first_key}' to '{found.last_key}'"
    yield f"stored  {_counted(seen.forms)}"
    yield f"images  {_counted(Counter({size_text(shape): count for shape, count in seen.shapes.items()}))}"
    if seen.labels:
        each = _records(seen.labels.values())
        yield f"labels  {min(seen.labels)}..{max(seen.labels)}, {len(seen.labels):,} different, {each} of each"
    yield f"values  {seen.least_bytes:,} to {seen.most_bytes:,} bytes, {size_of(seen.value_bytes)} together"
    if seen.broken:
        yield f"broken  {len(seen.broken):,} records: {'; '.join(seen.broken[:SHOWN])}"


def _records(counts: Collection[int]) -> str:
    """`1 record`, `2 to 3 records`."""
    least, most = min(counts), max(counts)
    return (f"{least:,}" if least == most else f"{least:,} to {most:,}") + f" record{'' if most == 1 else 's'}"


def _counted(counts: Counter[str]) -> str:
    """`3x32x32 (50,000), 1x32x32 (2)`, the most frequent first; of one alone no count."""
    if len(counts) == 1:
        return next(iter(counts))
    shown = ", ".join(f"{name} ({count:,})" for name, count in counts.most_common(SHOWN))
    more = len(counts) - SHOWN
    return shown + (f" and {more:,} more" if more > 0 else "") if counts else "none that can be read"


def json_text(found: Info) -> str:
    """The same as JSON; counts stand beside what they count, the most frequent first."""
    seen = found.survey

    def counted(name: str, counts: Counter[Any]) -> list[dict[str, Any]]:
        return [{name: value, "records": count} for value, count in counts.most_common()]

    return json.dumps(
        {
            "path": found.path,
            "backend": found.backend,
            "records": found.records,
            "disk_bytes": found.disk_bytes,
            "map_bytes": found.map_bytes,
            "first_key": found.first_key,
            "last_key": found.last_key,
            "shards": [asdict(shard) for shard in found.shards],
            "looked_at": seen.looked_at,
            "keys": counted("form", seen.key_forms),
            "stored": counted("form", seen.forms),
            "images": counted("shape", seen.shapes),
            "labels": {str(label): seen.labels[label] for label in sorted(seen.labels)},
            "value_bytes": {"least": seen.least_bytes, "most": seen.most_bytes, "total": seen.value_bytes},
            "broken": seen.broken,
        },
        indent=2,
    )
