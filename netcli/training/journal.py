"""The log of a run in Caffe's own lines, which other programs parse.

A line is `Imonthday hh:mm:ss.micros PID file.cpp:line] text`, as glog writes it.  File and line are those of
Caffe's sources that write the same text (solver.cpp and its neighbours as of 2017): some parsers look for them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

_log = logging.getLogger("netcli")


class Journal:
    """Takes lines from the start, and keeps them until `open` gives a file to write them to.

    to_stderr: write them there too, as Caffe does.
    to_file: False: there will be no file, and nothing is kept for one.
    output: takes every line at once, wherever it then goes.
    """

    def __init__(
        self, to_stderr: bool = False, to_file: bool = True, output: Callable[[str], None] | None = None
    ) -> None:
        self.to_stderr = to_stderr
        self.output = output
        self._waiting: list[str] | None = [] if to_file else None
        self._file: IO[str] | None = None

    def open(self, path: str | Path) -> None:
        """Write what has been said so far to the end of `path`, and from now on every line at once."""
        self._file = open(path, "a", encoding="utf-8")  # noqa: SIM115
        for line in self._waiting or ():
            self._write(line)
        self._waiting = None

    def say(self, where: str, text: str, severity: str = "I") -> None:
        """One entry; `where` is Caffe's file and line, severity the letter of INFO, WARNING, ERROR or FATAL."""
        now = time.time()
        stamp = time.strftime("%m%d %H:%M:%S", time.localtime(now))
        line = f"{severity}{stamp}.{int(now % 1 * 1e6):06d} {os.getpid():5d} {where}] {text}\n"
        if self.to_stderr:
            try:
                sys.stderr.write(line)
            except OSError:  # whoever read it has gone
                self.to_stderr = False
        if self.output is not None:
            self.output(line)
        if self._waiting is not None:
            self._waiting.append(line)
        else:
            self._write(line)

    def close(self) -> None:
        """Close the file; harmless the second time."""
        if self._file is not None and not self._file.closed:
            self._file.close()

    def _write(self, line: str) -> None:
        if self._file is None or self._file.closed:
            return
        try:
            self._file.write(line)
            self._file.flush()
        except OSError as fault:  # a full disk; no reason to lose the run
            _log.warning("%s can't be written (%s); training goes on without it", self._file.name, fault.strerror)
            abandon(self._file)


def abandon(file: IO[str]) -> None:
    """Close a file that can't be written; what it still holds is lost."""
    with contextlib.suppress(OSError):
        file.close()
