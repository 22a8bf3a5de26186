"""A set of images, made into a database in shards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from netcli.sources.conversion import Conversion, write_vectors
from netcli.sources.database import keys_in
from netcli.sources.shard_writer import ShardWriter
from netcli.sources.shards import Shards


def convert_to_shards(
    work: Conversion,
    new: ShardWriter,
    shards: Shards,
    total: int,
    workers: int,
    told: Callable[[int, int], None],
    resumed: Callable[[int], None],
) -> None:
    """Write the shards that are not there yet, each with its part of the `total` images; see `Conversion.run`.

    Keys have the images' numbers among all, so that the shards one after the other are the records of one database.
    """
    for index in range(new.finished):
        work.recall(keys_in(new.made(shards.base, index)), shards.span(index, total))
    parts = ((shards.span(index, total), new.create(shards.base, index)) for index in range(new.finished, shards.count))
    work.run(parts, shards.name, workers, told, resumed)


def vectors_to_shards(new: ShardWriter, images: Shards, vectors: Shards, of_number: np.ndarray) -> None:
    """A record of numbers (K, 1, 1), which are `of_number` (N, K), for each record of `images`, in as many shards."""
    for index in range(vectors.count):
        if not new.is_made(vectors.base, index):
            with new.create(vectors.base, index) as writer:
                write_vectors(writer, keys_in(new.made(images.base, index)), of_number)
