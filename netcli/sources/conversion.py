"""A set of images, made into the records of a database: large ones by several threads.

Order and bytes are the same whatever the number of threads, and after any number of interruptions.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import statistics
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing

import numpy as np

from netcli.arrays.layout import Shape, size_text
from netcli.errors import DataError
from netcli.sources.database import DatabaseWriter, create_database, open_database
from netcli.sources.datum import read_datum, write_features
from netcli.sources.image_list import named
from netcli.sources.image_records import Recipe, Record, make_record
from netcli.sources.image_sets import ImageSet
from netcli.sources.ordered import in_blocks

CHUNK = 16  # images that a worker takes at a time
TRIED = 32  # images that tell how long one takes
SMALL = 300e-6  # seconds; threads that make faster ones wait for Python's lock more than they win
PATIENCE = 100  # unreadable images beyond the limit that are looked for, so that they can be mended at once

Outcome = Record | DataError


def _outcome(images: ImageSet, index: int, number: int, recipe: Recipe) -> Outcome:
    try:
        return make_record(images, index, number, recipe)
    except DataError as fault:
        return fault


class Conversion:
    """The records of a set of images, written to a database.

    order     which image is at which number
    most_bad  images that may be unreadable
    faults    what is wrong with those that are
    """

    def __init__(
        self, images: ImageSet, order: Sequence[int], recipe: Recipe, check_size: bool = False, most_bad: int = 0
    ) -> None:
        self._images, self._order, self._recipe = images, order, recipe
        self._check_size, self._most_bad = check_size, most_bad
        self._first: tuple[Shape, str] | None = None  # shape and name of the first
        self.faults: list[str] = []

    def run(self, database: DatabaseWriter, path: str, workers: int, told: Callable[[int, int], None]) -> None:
        """Write what is not there yet; raises DataError.

        told: called behind each record with the number of images that are done, and how many of them in this run
        """
        begin = self._go_on(database.written)
        with closing(self._outcomes(begin, workers)) as outcomes:
            for number, outcome in outcomes:
                if isinstance(outcome, DataError):
                    self.faults.append(str(outcome))
                    self.check_bad(path, number + 1, PATIENCE)
                    continue
                if self._check_size:
                    self._same_size(outcome.shape, outcome.key)
                database.put(outcome.key, outcome.value)
                told(number + 1, number + 1 - begin)
        self.check_bad(path, len(self._order))

    def _outcomes(self, begin: int, workers: int) -> Generator[tuple[int, Outcome], None, None]:
        """What becomes of the images from number `begin` on, in their order."""
        left = iter(range(begin, len(self._order)))
        taken = []
        for number in itertools.islice(left, TRIED):
            start = time.perf_counter()
            outcome = self._made(number)
            taken.append(time.perf_counter() - start)
            yield outcome
        if workers == 1 or not taken or statistics.median(taken) < SMALL:
            yield from map(self._made, left)
            return
        with closing(in_blocks(self._made_block, left, CHUNK, workers)) as blocks:
            yield from itertools.chain.from_iterable(blocks)

    def _made_block(self, numbers: list[int]) -> list[tuple[int, Outcome]]:
        return [self._made(number) for number in numbers]

    def _made(self, number: int) -> tuple[int, Outcome]:
        return number, _outcome(self._images, self._order[number], number, self._recipe)

    def _go_on(self, written: Sequence[bytes]) -> int:
        """The number to go on with; images that were passed over before it are tried again, to tell of them."""
        if not written:
            return 0
        last = int(written[-1][:8])
        there = {int(key[:8]) for key in written}
        for number in range(last):
            if number not in there:
                outcome = _outcome(self._images, self._order[number], number, self._recipe)
                self.faults.append(
                    str(outcome) if isinstance(outcome, DataError) else f"record {number} is passed over"
                )
        if self._check_size:
            number = int(written[0][:8])
            first = make_record(self._images, self._order[number], number, self._recipe)
            self._same_size(first.shape, first.key)
        return last + 1

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


def write_vectors(path: str, images: str, of_number: np.ndarray, backend: str, overwrite: bool) -> None:
    """A database with a record of numbers (K, 1, 1) for each record of the database `images`, under its key."""
    with open_database(images) as reader, create_database(path, backend, overwrite=overwrite) as writer:
        for record in range(len(reader)):
            key = bytes(reader.view(record)[0])
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
