"""What a database holds, in numbers: forms, sizes, labels, keys and bytes; no pixel is decoded."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from netcli.arrays.layout import Shape
from netcli.errors import DataError
from netcli.sources.datum import datum_facts
from netcli.sources.record_keys import key_form
from netcli.sources.record_set import DatabaseRecords


@dataclass
class Survey:
    """Of the records looked at.

    forms         "bytes", "floats", or the format of encoded images, and how many records
    shapes        (C, H, W), and how many
    labels        and how many
    key_forms     as `key_form` says them, and how many
    value_bytes   the least, the most, and all together
    broken        what is wrong with each record that can't be parsed
    """

    looked_at: int = 0
    forms: Counter[str] = field(default_factory=Counter)
    shapes: Counter[Shape] = field(default_factory=Counter)
    labels: Counter[int] = field(default_factory=Counter)
    key_forms: Counter[str] = field(default_factory=Counter)
    least_bytes: int = 0
    most_bytes: int = 0
    value_bytes: int = 0
    broken: list[str] = field(default_factory=list)


def survey(
    records: DatabaseRecords, indices: Iterable[int] | None = None, told: Callable[[int], None] | None = None
) -> Survey:
    """Look at all records, or at some; told: called with the number done so far."""
    found = Survey()
    for index in range(len(records)) if indices is None else indices:
        fetched = records.fetch(index)
        size = len(fetched.value)
        found.least_bytes = size if not found.looked_at else min(found.least_bytes, size)
        found.most_bytes = max(found.most_bytes, size)
        found.value_bytes += size
        found.looked_at += 1
        found.key_forms[key_form(fetched.key)] += 1
        try:
            form, shape, label = datum_facts(fetched.value)
        except DataError as fault:
            found.broken.append(f"{records.name(fetched)}: {fault.message}")
        else:
            found.forms[form] += 1
            found.shapes[shape] += 1
            found.labels[label] += 1
        if told is not None:
            told(found.looked_at)
    return found


def spread(total: int, wanted: int | None) -> list[int] | range:
    """So many of the numbers 0 .. total - 1, evenly spread from the first to the last; None: all of them."""
    if wanted is None or wanted >= total:
        return range(total)
    return [0] if wanted == 1 else [i * (total - 1) // (wanted - 1) for i in range(wanted)]


def bytes_on_disk(path: str) -> int:
    """Of the files in a folder, together, as far as they take room."""
    return sum(entry.stat().st_blocks * 512 for entry in os.scandir(path) if entry.is_file())
