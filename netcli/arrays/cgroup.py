"""What a container or a service allows its processes: processors and memory, by Linux's control groups.

Both forms are read: version 2 (cpu.max, memory.max) and version 1 (cpu.cfs_quota_us, memory.limit_in_bytes),
from the group of this process up to the root that it sees; the narrowest limit holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MEMBERSHIP = Path("/proc/self/cgroup")
ROOT = Path("/sys/fs/cgroup")
UNLIMITED = 1 << 60  # bytes: version 1 writes no limit as a number near 2**63


def cpu_quota() -> float | None:
    """Processors' worth of time, such as 1.5; None where nothing limits it."""
    pairs = [
        words
        for group in _groups("cpu")
        for words in (_words(group / "cpu.max"), _words(group / "cpu.cfs_quota_us", group / "cpu.cfs_period_us"))
        if len(words) == 2 and words[0].isdigit()  # no limit is written "max", and -1 in version 1
    ]
    return min((int(quota) / int(period) for quota, period in pairs), default=None)


def memory_limit() -> int | None:
    """Bytes; None where nothing limits it."""
    words = [
        word
        for group in _groups("memory")
        for word in _words(group / "memory.max") + _words(group / "memory.limit_in_bytes")
    ]
    return min((int(word) for word in words if word.isdigit() and int(word) < UNLIMITED), default=None)


def _groups(controller: str) -> Iterator[Path]:
    """The folders of the groups that this process is in, and of those around them."""
    try:
        lines = MEMBERSHIP.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2, alone or beside version 1
            mounts = [ROOT, ROOT / "unified"]
        elif controller in controllers.split(","):
            mounts = [ROOT / controllers, ROOT / controller]
        else:
            continue
        group = Path(path.lstrip("/"))
        for mount in mounts:
            # A container may see its own group as the root, under a path that does not exist for it.
            yield from (mount / part for part in (group, *group.parents) if (mount / part).is_dir())


def _words(*files: Path) -> list[str]:
    """What the files hold, one after the other; nothing where one can't be read."""
    try:
        return [word for file in files for word in file.read_text().split()]
    except OSError:
        return []
