"""Whether every record of a database can be used: parsed, decoded, with finite values and a label that is a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from netcli.arrays.layout import Shape, size_text
from netcli.errors import DataError
from netcli.sources.moments import NOT_FINITE, all_finite
from netcli.sources.ordered import in_blocks
from netcli.sources.record_keys import name_in
from netcli.sources.record_set import DatabaseRecords, Stored

BLOCK = 32  # records that a thread takes at a time
SHOWN = 5  # sizes that a note names


@dataclass
class Verdict:
    """What was found.

    checked   records
    faults    a sentence for each, which names the record
    notes     what may be meant so, in sentences: images of several sizes, an image that is there twice
    """

    checked: int = 0
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_records(
    records: DatabaseRecords,
    *,
    classes: int | None = None,
    one_size: bool = False,
    threads: int | None = None,
    told: Callable[[int], None] | None = None,
) -> Verdict:
    """Decode every record; the faults come in the order of records.

    classes    labels must be in 0 .. classes - 1
    one_size   images of another size than the first are faults; else they are noted
    told       called with the number done so far
    """
    check = _Check(records, classes, one_size)

    def look(block: list[Any]) -> list[tuple[Stored, Shape, int] | DataError]:
        return [_look(records, fetched) for fetched in block]

    with closing(in_blocks(look, map(_fetcher(records), range(len(records))), BLOCK, threads)) as blocks:
        for block in blocks:
            for seen in block:
                check.take(seen)
            if told is not None:
                told(check.verdict.checked)
    check.tell_of_all()
    return check.verdict


class _Check:
    """Records one after the other."""

    def __init__(self, records: DatabaseRecords, classes: int | None, one_size: bool) -> None:
        self.verdict = Verdict()
        self._records, self._classes, self._one_size = records, classes, one_size
        self._shapes: Counter[Shape] = Counter()
        self._names: Counter[bytes] = Counter()
        self._first: Shape | None = None
        self._last_key: bytes | None = None

    def take(self, seen: tuple[Stored, Shape, int] | DataError) -> None:
        self.verdict.checked += 1
        if isinstance(seen, DataError):
            self.verdict.faults.append(seen.message)
            return
        fetched, shape, label = seen
        self._first = self._first or shape
        self._shapes[shape] += 1
        if image := name_in(fetched.key):
            self._names[image] += 1
        name, faults = self._records.name(fetched), self.verdict.faults
        if fetched.key == self._last_key:
            faults.append(f"{name} has the key of the record before it")
        self._last_key = fetched.key
        if self._classes is not None and not 0 <= label < self._classes:
            faults.append(f"{name} has label {label}, which is not in 0..{self._classes - 1}")
        if self._one_size and shape != self._first:
            faults.append(f"{name} is {size_text(shape)}, the first is {size_text(self._first)}")

    def tell_of_all(self) -> None:
        """Note what is seen of all records together."""
        if len(self._shapes) > 1 and not self._one_size:
            several = ", ".join(f"{size_text(shape)} ({count})" for shape, count in self._shapes.most_common(SHOWN))
            self.verdict.notes.append(f"images are of {len(self._shapes)} sizes, the most frequent {several}")
        twice = [name for name, count in self._names.items() if count > 1]
        if twice:
            shown = twice[0].decode(errors="replace")
            what = "names stand" if len(twice) > 1 else "name stands"
            self.verdict.notes.append(f"{len(twice)} {what} in keys of several numbers; the first is '{shown}'")


def _fetcher(records: DatabaseRecords) -> Callable[[int], Stored | DataError]:
    def fetch(index: int) -> Stored | DataError:
        try:
            return records.fetch(index)
        except DataError as fault:
            return fault

    return fetch


def _look(records: DatabaseRecords, fetched: Stored | DataError) -> tuple[Stored, Shape, int] | DataError:
    if isinstance(fetched, DataError):
        return fetched
    try:
        image, label = records.decode(fetched)
    except DataError as fault:
        return fault
    if not all_finite(image):
        return DataError(f"{records.name(fetched)} {NOT_FINITE}")
    # The value is let go: of a block only the keys wait for their turn.
    return Stored(fetched.number, fetched.key, b""), image.shape, label
