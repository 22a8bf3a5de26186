"""What the data layers of a net will give it: every record looked at once, before anything is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from typing import Any

from netcli.arrays.layout import Shape
from netcli.errors import DataError
from netcli.layers.batches import BatchLayer
from netcli.layers.records import Source
from netcli.net.label_range import LabelRange
from netcli.sources.duplicates import Duplicates, find_duplicates
from netcli.sources.fingerprint import Fingerprint, fingerprint
from netcli.sources.moments import NOT_FINITE, Moments, all_finite
from netcli.sources.ordered import in_blocks
from netcli.sources.record_survey import spread

BLOCK = 32  # records that a thread takes at a time


@dataclass
class Looked:
    """What was seen of the records of a layer.

    name         of the set, for a table
    source       open as long as records are to be named
    records      in the source
    numbers      of the records that could be read, in their order, with labels and prints beside
    shapes       (C, H, W) before transform_param, and how many
    moments      of the pixels, by the number of channels
    broken       a sentence for each that can't be read
    ranges       the labels that the net takes; empty: not known
    """

    name: str
    source: Source
    ranges: Sequence[LabelRange] = ()
    records: int = 0
    looked_at: int = 0
    numbers: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    prints: list[Fingerprint] = field(default_factory=list)
    shapes: Counter[Shape] = field(default_factory=Counter)
    moments: dict[int, Moments] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    @property
    def classes(self) -> int | None:
        """How many the net tells apart, by the narrowest layer that reads the labels; None: not known."""
        return min((each.classes for each in self.ranges), default=None)

    @property
    def per_class(self) -> Counter[int]:
        return Counter(self.labels)

    @property
    def out_of_range(self) -> dict[int, int]:
        """Labels that a layer would refuse, and how many records have each."""
        return {
            label: count
            for label, count in sorted(self.per_class.items())
            if not all(each.has(label) for each in self.ranges)
        }

    @property
    def empty(self) -> list[int]:
        """Classes of the net without an image; where the net's are not known, gaps between the labels."""
        counts = self.per_class
        end = self.classes if self.classes is not None else max(counts, default=-1) + 1
        return [label for label in range(end) if label not in counts]

    @property
    def imbalance(self) -> float | None:
        """How many times more images the largest class has than the smallest that has any."""
        counts = self.per_class.values()
        return max(counts) / min(counts) if counts else None

    def named(self, place: int) -> str:
        """The record at a place of `numbers`, in words."""
        return self.source.name(0, self.numbers[place])


def look(
    name: str,
    layer: BatchLayer,
    ranges: Sequence[LabelRange],
    sample: int | None,
    threads: int | None,
    watch: Callable[[int], AbstractContextManager[Callable[[int], None]]],
) -> Looked:
    """Look at the records of a layer that is not set up, or at so many of them, evenly spread.

    watch: of the number to look at, gives what is told how many are done
    Raises NetcliError where the source can't be opened.
    """
    source = layer.records()
    found = Looked(name, source, ranges, len(source))

    def fetch(number: int) -> tuple[int, Any]:
        try:
            return number, source.fetch(0, number)
        except DataError as fault:
            return number, fault

    def seen(block: list[tuple[int, Any]]) -> list[Any]:
        return [_seen(source, number, fetched) for number, fetched in block]

    numbers = spread(len(source), sample)
    with watch(len(numbers)) as told, closing(in_blocks(seen, map(fetch, numbers), BLOCK, threads)) as blocks:
        for block in blocks:
            for each in block:
                _take(found, each)
            told(found.looked_at)
    return found


def _seen(source: Source, number: int, fetched: Any) -> tuple[int, int, Shape, Moments, Fingerprint] | DataError:
    if isinstance(fetched, DataError):
        return fetched
    try:
        image, label = source.decode(fetched, None)
    except DataError as fault:
        return fault
    if not all_finite(image):
        return DataError(f"{source.name(0, number)} {NOT_FINITE}")
    of_image = Moments.of(image)
    of_image.total = None  # nobody asks for the mean image, which is as large as the image
    return number, label, image.shape, of_image, fingerprint(image)


def _take(found: Looked, each: tuple[int, int, Shape, Moments, Fingerprint] | DataError) -> None:
    found.looked_at += 1
    if isinstance(each, DataError):
        found.broken.append(each.message)
        return
    number, label, shape, of_image, of_pixels = each
    found.numbers.append(number)
    found.labels.append(label)
    found.prints.append(of_pixels)
    found.shapes[shape] += 1
    found.moments.setdefault(shape[0], Moments()).add(of_image)


@dataclass
class Pair:
    """Two images that are the same, or nearly, by set and place in its `numbers`."""

    first: tuple[int, int]
    second: tuple[int, int]
    exact: bool


def pairs_of(sets: Sequence[Looked], alike: float) -> list[Pair]:
    """Each image that equals an earlier one, with the first that it equals, and each pair of near ones.

    alike: see `find_duplicates`
    """
    places = [(number, place) for number, each in enumerate(sets) for place in range(len(each.prints))]
    found: Duplicates = find_duplicates([print_ for each in sets for print_ in each.prints], alike)
    exact = [Pair(places[group[0]], places[other], True) for group in found.same for other in group[1:]]
    return exact + [Pair(places[a], places[b], False) for a, b in found.near.tolist()]
