"""Weights from caffemodels into nets, and what was left out on either side."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from netcli.net import Net
from netcli.snapshots import read_weights

_log = logging.getLogger("netcli")


def split_paths(values: Iterable[str]) -> list[str]:
    """The paths in values that may each hold several, separated by commas."""
    return [path.strip() for value in values for path in value.split(",") if path.strip()]


def load_weights(
    nets: Sequence[Net],
    paths: Iterable[str],
    reading: Callable[[str], None] = lambda _: None,
    ignored: Callable[[str], None] = lambda _: None,
) -> set[str]:
    """Take the weights of each file in turn; returns the names of the layers found in any.  Raises SnapshotError.

    reading: is told each path; ignored: each layer of a file that a net does not have.
    """
    found: set[str] = set()
    for path in paths:
        reading(path)
        weights = read_weights(path)
        found.update(layer.name for layer in weights.layers if layer.blobs)
        for net in nets:
            for name in net.load(weights):
                ignored(name)
    return found


def load_all_weights(net: Net, paths: Sequence[str]) -> None:
    """The same for a net that is to be used as it is: warns of layers that no file has weights for."""
    found = load_weights([net], paths)
    missing = [name for name in net.params if name not in found]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        which, keep = ("layer", "keeps its") if len(missing) == 1 else ("layers", "keep their")
        _log.warning("%s has no weights for %s %s, which %s first values", ", ".join(paths), which, names, keep)
