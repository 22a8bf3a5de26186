"""Choices: which of the ways to compute an op serves it at a shape, where that has to be measured.

A way is a name that a body gives, such as "channels-last brgconv:avx2"; what it is a way of is a key, such as
"convolution forward 64x96x27x27 ...".  Ways differ in last bits, so that a run keeps those it began with.

Note [Timing]: a plan that says it will last is measured at its first execution, on the arrays it is given, and so only
the operations that a net needs are.  What is found stays in the process, and on disk for the next one, in
$XDG_CACHE_HOME/netcli/ways.json (~/.cache without it), by what it depends on: processor, instructions, threads and
library.  A file that can't be read or written is done without.  A process measures for SECONDS at most; the next one
goes on with what is left.  NETCLI_TIMING=off turns all of it off: bodies go by their rules, as they do for plans that
may not last and when the time is spent.
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import os
import secrets
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

_log = logging.getLogger("netcli")

VARIABLE = "NETCLI_TIMING"
SECONDS = 3.0

Ways = dict[str, dict[str, str]]  # machine -> key -> way

_measured: Ways = {}  # in this process
_spent = 0.0  # seconds of it


class Choices:
    """What the plans made with one `Ops` are computed by.

    made  key -> way, of the plans executed so far
    """

    def __init__(self) -> None:
        self.made: dict[str, str] = {}
        self._to_follow: dict[str, str] = {}
        self._strays = False  # from what is to be followed; told once

    @property
    def timing(self) -> bool:
        """Whether ways are measured and kept on disk."""
        return os.environ.get(VARIABLE, "").lower() not in ("off", "0", "no", "false")

    @property
    def may_measure(self) -> bool:
        return self.timing and _spent < SECONDS

    @contextlib.contextmanager
    def measuring(self) -> Iterator[None]:
        """While something is measured."""
        global _spent
        start = time.perf_counter()
        try:
            yield
        finally:
            _spent += time.perf_counter() - start

    def follow(self, ways: Mapping[str, str]) -> int:
        """Take these, of the run that is resumed, from now on; returns how many come too late, being made otherwise."""
        self._to_follow = dict(ways)
        return sum(self.made.get(key, way) != way for key, way in ways.items())

    def known(self, machine: str, key: str) -> Iterator[str]:
        """The ways known for it, those to be followed first; the machine may lack them."""
        for ways in (self.made, self._to_follow):
            if key in ways:
                yield ways[key]
        if self.timing:
            for found in (_measured, _on_disk(_path())):
                way = found.get(machine, {}).get(key)
                if way is not None:
                    yield way

    def take(self, key: str, way: str) -> None:
        """Note what a plan is computed by; warns once where a run that is resumed had it otherwise."""
        self.made[key] = way
        wanted = self._to_follow.get(key, way)
        if wanted != way and not self._strays:
            self._strays = True
            _log.warning("%s is by %s here, and was by %s in the run that is resumed: last bits may differ",
                         key, way, wanted)  # fmt: skip

    def keep(self, machine: str, key: str, way: str, on_disk: bool) -> None:
        """Keep what was measured for later plans and, on disk, for other processes."""
        _measured.setdefault(machine, {})[key] = way
        path = _path()
        if on_disk and path is not None:
            with contextlib.suppress(OSError):
                _write(path, {machine: {key: way}})


def _path() -> Path | None:
    """Of the file, by the XDG base directory specification; None where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    except RuntimeError:
        return None
    return folder / "netcli" / "ways.json"


@functools.lru_cache(maxsize=1)
def _on_disk(path: Path | None) -> Ways:
    """What was there when this process first looked."""
    return {} if path is None else _read(path)


def _read(path: Path) -> Ways:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict) or not all(isinstance(ways, dict) for ways in found.values()):
        return {}
    return {machine: {key: way for key, way in ways.items() if isinstance(way, str)} for machine, ways in found.items()}


def _write(path: Path, more: Ways) -> None:
    """Add to what is there now; readers see the file before or after."""
    ways = _read(path)
    for machine, found in more.items():
        ways.setdefault(machine, {}).update(found)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        beside.write_text(json.dumps(ways, indent=1, sort_keys=True))
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
