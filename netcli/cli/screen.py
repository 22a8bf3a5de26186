"""What a person sees of a long command: on a terminal a line that is rewritten, elsewhere a line now and then."""

from __future__ import annotations

import errno
import logging
import os
import shutil
import sys
import time
from typing import TextIO

REFRESH = 0.1  # seconds between rewrites of the line
PLAIN = 10.0  # seconds between progress lines where there is no terminal
CLEAR = "\r\x1b[K"


class Screen:
    """Writes to a stream, stdout by default.

    `progress` shows what a moment later is out of date; `say` what is to stay.
    A stream that takes no more (a closed pipe, a terminal that hung up, a full disk) ends the writing, not the command.
    """

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        if sys.stdout is None:  # closed before we began: `>&-`
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        self.stream = sys.stdout if stream is None else stream
        self.quiet = quiet
        self.live = not quiet and self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self._line = ""
        self._next = 0.0  # when progress may be told again
        # A warning goes to another stream: the line it would run into is taken away first.
        logging.getLogger("netcli").addFilter(self._make_way)

    def due(self) -> bool:
        """Whether it is time to tell progress; so that callers need not make a line that nobody sees."""
        return not self.quiet and time.monotonic() >= self._next

    def progress(self, text: str) -> None:
        """Show how things stand."""
        if self.quiet:
            return
        self._next = time.monotonic() + (REFRESH if self.live else PLAIN)
        if not self.live:
            self._write(text + "\n")
            return
        width = shutil.get_terminal_size().columns - 1
        self._line = text if len(text) <= width else text[: max(0, width - 1)] + "…"
        self._write(CLEAR + self._line)

    def say(self, text: str) -> None:
        """Write a line that stays; the progress line goes on below it."""
        if self.quiet:
            return
        line = self._line
        self.clear()
        self._write(text + "\n" + line)
        self._line = line

    def clear(self) -> None:
        """Take the progress line away."""
        if self._line:
            self._write(CLEAR)
            self._line = ""

    def close(self) -> None:
        self.clear()
        logging.getLogger("netcli").removeFilter(self._make_way)

    def _make_way(self, record: logging.LogRecord) -> bool:  # noqa: ARG002
        self.clear()
        return True

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError as fault:
            if fault.errno not in (errno.EPIPE, errno.EIO, errno.ENOSPC):
                raise
            self.quiet, self.live, self._line = True, False, ""
            if self.stream is sys.stdout:  # Python flushes it once more at its end
                sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
