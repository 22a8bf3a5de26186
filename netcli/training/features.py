"""What blobs of a net hold, batch by batch, into databases: as Caffe's extract_features."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netcli.errors import NetcliError
from netcli.layers.batches import BatchLayer
from netcli.net import Net
from netcli.sources.database import DatabaseWriter
from netcli.sources.datum import write_features

AXES = 4  # items, channels, height and width, which is all that a Datum can tell


def check_blobs(net: Net, names: Sequence[str]) -> None:
    """Raise NetcliError where a blob can't be stored as Datums."""
    for name in names:
        shape = net.blobs[name].shape
        if len(shape) > AXES:
            raise NetcliError(
                f"blob '{name}' {shape} has {len(shape)} axes; a database holds items of channels, height and width"
            )


def one_pass(net: Net, names: Sequence[str]) -> tuple[int, int]:
    """How many batches, and how many items of each blob, are all records of the net's source once.

    Raises NetcliError where that is not known: the net has no source of records, or a blob does not hold one item
    for each record.
    """
    sources = [layer for layer in net.sources.values() if isinstance(layer, BatchLayer)]
    if not sources:
        raise NetcliError("the net has no source with an end; say how many batches by --batches")
    largest = max(sources, key=lambda layer: len(layer.source))
    for name in names:
        shape = net.blobs[name].shape
        if shape[:1] != (largest.batch_size,):
            raise NetcliError(
                f"blob '{name}' {shape} does not hold an item for each of the {largest.batch_size} records of a batch; "
                "say how many batches by --batches"
            )
    records = len(largest.source)
    return -(-records // largest.batch_size), records


def store(
    net: Net,
    targets: Sequence[tuple[str, DatabaseWriter]],
    batches: int,
    items: int | None = None,
    each: Callable[[int], None] = lambda _: None,
) -> list[int]:
    """Run so many batches and store each item of each blob, under its number; returns how many of each.

    items: no more than these are stored of any blob; None: all
    each: is called before each batch
    """
    stored = [0] * len(targets)
    for batch in range(batches):
        each(batch)
        net.forward()
        for number, (name, database) in enumerate(targets):
            data = net.blobs[name].host_data()
            for item in data.reshape(1) if data.ndim == 0 else data:
                if stored[number] == items:
                    break
                database.put(b"%010d" % stored[number], write_features(item))
                stored[number] += 1
    return stored
