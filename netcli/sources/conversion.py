"""A set of images, made into the records of a database: large ones by several threads, small ones by processes.

Order and bytes are the same whatever the number of threads, and after any number of interruptions.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import statistics
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from functools import partial

import numpy as np

from netcli.arrays.layout import Shape, size_text
from netcli.errors import DataError
from netcli.sources.database import DatabaseWriter, open_database
from netcli.sources.datum import read_datum, write_features
from netcli.sources.image_list import named
from netcli.sources.image_records import MOST_IMAGES, Outcome, Recipe, Record, key_of, outcomes_of
from netcli.sources.image_sets import ImageSet, Source
from netcli.sources.ordered import in_blocks
from netcli.sources.processes import in_processes

CHUNK = 16  # images that a thread takes at a time
TRIED = 8  # images that tell how long one takes
SMALL = 300e-6  # seconds; threads that make faster ones wait for Python's lock more than they win
SHORT = 0.5  # seconds of work that other processes are not started for
MOST = 64  # images that a process takes at a time,
BLOCK = 1 << 18  # and bytes of records that it hands back
PATIENCE = 100  # unreadable images beyond the limit that are looked for, so that they can be mended at once


class Conversion:
    """The records of a set of images, written to a database.

    order     which image is at which number
    most_bad  images that may be unreadable
    faults    what is wrong with those that are

    Raises DataError for more images than keys have numbers for.
    """

    def __init__(
        self, images: ImageSet, order: Sequence[int], recipe: Recipe, check_size: bool = False, most_bad: int = 0
    ) -> None:
        if len(order) > MOST_IMAGES:
            raise DataError(
                f"{len(order)} images are too many: keys have 8 digits, as Caffe's, for {MOST_IMAGES} at most"
            )
        self._images, self._order, self._recipe = images, order, recipe
        self._check_size, self._most_bad = check_size, most_bad
        self._first: tuple[Shape, str] | None = None  # shape and name of the first
        self._there = 0  # records that an interrupted run has made
        self._now = 0  # images that are done in this run
        self.faults: list[str] = []

    def run(
        self,
        parts: Iterable[tuple[range, DatabaseWriter]],
        path: str,
        workers: int,
        told: Callable[[int, int], None],
        resumed: Callable[[int], None],
    ) -> None:
        """Write what is not there yet; raises DataError.

        parts: databases, and the numbers of the images that each is to have: one behind the other, the last of them
            up to the end; before the first are those whose records `recall` was given
        path: of all parts together
        told: called behind each record with the number of images that are done, and how many of them in this run
        resumed: called with the number of records that are there already, where there are any
        """
        outcomes: Iterator[Outcome] | None = None
        with ExitStack() as opened:
            for numbers, database in parts:
                with database:
                    begin = self._go_on(database.written, numbers)
                    if outcomes is None:
                        if self._there:
                            resumed(self._there)
                        outcomes = opened.enter_context(closing(self._outcomes(begin, workers)))
                    self._write(database, path, range(begin, numbers.stop), outcomes, told)
                    if numbers.stop == len(self._order):
                        self.check_bad(path, numbers.stop)

    def _write(
        self,
        database: DatabaseWriter,
        path: str,
        numbers: range,
        outcomes: Iterator[Outcome],
        told: Callable[[int, int], None],
    ) -> None:
        for number in numbers:
            outcome = next(outcomes)
            self._now += 1
            if isinstance(outcome, DataError):
                self.faults.append(self._sentence(number, outcome))
                self.check_bad(path, number + 1, PATIENCE)
                continue
            key = key_of(self._images, self._order[number], number)
            if self._check_size:
                self._same_size(outcome.shape, key)
            database.put(key, outcome.value)
            told(number + 1, self._now)

    def _outcomes(self, begin: int, workers: int) -> Generator[Outcome, None, None]:
        """What becomes of the images from number `begin` on, in their order."""
        numbers = range(begin, len(self._order))
        taken = []
        for number in numbers[:TRIED]:
            start = time.perf_counter()
            outcome = self._made(number)
            taken.append(time.perf_counter() - start)
            yield outcome
        left = numbers[TRIED:]
        seconds = statistics.median(taken) if taken else 0.0
        if workers == 1 or seconds * len(left) < SHORT:
            yield from map(self._made, left)
        elif seconds > SMALL:
            with closing(in_blocks(self._made_block, left, CHUNK, workers)) as blocks:
                yield from itertools.chain.from_iterable(blocks)
        else:
            yield from self._by_processes(left, workers)

    def _by_processes(self, numbers: Sequence[int], workers: int) -> Generator[Outcome, None, None]:
        length = 1

        def blocks() -> Generator[list[Source | DataError], None, None]:
            left = iter(numbers)
            while block := [self._source(number) for number in itertools.islice(left, length)]:
                yield block

        work = partial(outcomes_of, recipe=self._recipe)
        with closing(in_processes(work, blocks(), workers)) as made:
            for outcomes in made:
                largest = max(len(each.value) if isinstance(each, Record) else 0 for each in outcomes)
                length = max(1, min(MOST, 2 * length, BLOCK // max(1, largest)))
                yield from outcomes

    def _made_block(self, numbers: list[int]) -> list[Outcome]:
        return [self._made(number) for number in numbers]

    def _made(self, number: int) -> Outcome:
        return outcomes_of([self._source(number)], self._recipe)[0]

    def _source(self, number: int) -> Source | DataError:
        try:
            return self._images.source(self._order[number])
        except DataError as fault:
            return fault

    def _sentence(self, number: int, fault: DataError) -> str:
        return f"{self._images.place(self._order[number])}{fault}"

    def _go_on(self, written: Sequence[bytes], numbers: range) -> int:
        """The number to go on with behind what is there of a part."""
        if not written:
            return numbers.start
        last = int(written[-1][:8])
        self.recall(written, range(numbers.start, last))
        return last + 1

    def recall(self, written: Sequence[bytes], numbers: range) -> None:
        """Take into account the records of an interrupted run; raises DataError.

        The images that were passed over among `numbers` are tried again, to tell of them.
        written: keys of all that there are of a part
        """
        there = {int(key[:8]) for key in written}
        self._there += len(there)
        for number in numbers:
            if number not in there:
                outcome = self._made(number)
                self.faults.append(
                    self._sentence(number, outcome)
                    if isinstance(outcome, DataError)
                    else f"record {number} is passed over"
                )
        if self._check_size and written:
            number = int(written[0][:8])
            first = self._made(number)
            if isinstance(first, DataError):
                raise DataError(self._sentence(number, first))
            self._same_size(first.shape, written[0])

    def check_bad(self, path: str, tried: int, more: int = 0) -> None:
        """Raise DataError where more images are unreadable than may be, and `more` beside."""
        if len(self.faults) > self._most_bad + more or len(self.faults) == len(self._order):
            raise DataError(f"{named(self.faults, tried, 'image')} unreadable, and {path} was not made")

    def _same_size(self, shape: Shape, key: bytes) -> None:
        name = key.decode(errors="replace")
        self._first = self._first or (shape, name)
        if shape != self._first[0]:
            raise DataError(f"image {name} is {size_text(shape)}, the first is {size_text(self._first[0])}")

    def job(self, root: str) -> str:
        """What makes two conversions the same, in words; root: where the images are."""
        digest = hashlib.blake2b(digest_size=16)
        for index in self._order:
            digest.update(
                f"{self._images.paths[index]}\0{int(self._images.labels[index])}\n".encode(errors="surrogateescape")
            )
        return f"convert-images 1\n{os.path.abspath(root)}\n{self._recipe}\n{digest.hexdigest()}\n"


def write_vectors(writer: DatabaseWriter, keys: Iterable[bytes], of_number: np.ndarray) -> None:
    """A record of numbers (K, 1, 1) for each key, which says by its number which of (N, K) they are."""
    for key in keys:
        writer.put(key, write_features(of_number[int(key[:8])]))


def verify(path: str, count: int, told: Callable[[int], None]) -> None:
    """Read every record again; raises DataError, which names the first that is not as it should be.

    told: called behind each record with their number
    """
    with open_database(path) as reader:
        if len(reader) != count:
            raise DataError(f"{path} holds {len(reader)} records, {count} were written")
        for number in range(count):
            key, value = reader[number]
            try:
                read_datum(value)
            except DataError as fault:
                raise DataError(
                    f"{path}: record {number} ('{key.decode(errors='replace')}'): {fault.message}"
                ) from None
            told(number + 1)
