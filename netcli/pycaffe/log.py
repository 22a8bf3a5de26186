"""Caffe's log, on stderr: `init_log`, `log`, and what the environment says of it.

As with glog, lines are written unless GLOG_minloglevel, or the level given to `init_log`, is above 0 (INFO).
"""

from __future__ import annotations

import os

from netcli.training.journal import Journal

INFO = 0


def _level_of_environment() -> int:
    try:
        return int(os.environ["GLOG_minloglevel"])  # noqa: SIM112 (as glog spells it)
    except (KeyError, ValueError):
        return INFO


_journal = Journal(to_stderr=_level_of_environment() <= INFO, to_file=False)


def journal() -> Journal:
    """Where solvers tell what they do."""
    return _journal


def init_log(level: int | None = None, stderr: bool = True) -> None:
    """Write log lines of at least this level (0: INFO and above; None: as the environment says), or none at all.

    stderr: False keeps them off stderr; Caffe would put them into a file below the system's folder for such.
    """
    _journal.to_stderr = stderr and (_level_of_environment() if level is None else level) <= INFO


def log(text: str) -> None:
    """Write a line of the program's own to the log."""
    _journal.say("_caffe.cpp:79", text)
