"""Where the lines of a log go, as glog decides it: to stderr, and to files of its own.

By flags, or by the environment: -minloglevel=1 or GLOG_minloglevel=1.  A severity has a file for its lines and those of
the graver ones, DIR/PROGRAM.HOST.USER.log.INFO.TIME.PID, with a link DIR/PROGRAM.INFO to the last one.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import sys
import time
from collections.abc import Mapping
from typing import IO

from netcli.cli.caffe_tools.gflags import Flag, Parsed, Value

SEVERITIES = ("INFO", "WARNING", "ERROR", "FATAL")
LETTERS = "IWEF"

FLAGS = (
    Flag("logtostderr", False, "Write log lines to stderr and to no file."),
    Flag("alsologtostderr", False, "Write log lines to stderr and to files; on in all programs of Caffe but two."),
    Flag("stderrthreshold", 2, "Without either: the least severity that goes to stderr; 0 to 3."),
    Flag("minloglevel", 0, "Pass over lines below this severity: 0 INFO, 1 WARNING, 2 ERROR, 3 FATAL."),
    Flag("log_dir", "", "The folder of the log files; unless given TMPDIR or /tmp."),
    Flag("log_prefix", True, "Begin lines with severity, time, process and place."),
    Flag("log_link", "", "A further folder for links to the log files."),
)
# Those that change nothing here: lines are written at once, and files are no larger than a training's log is.
WITHOUT_EFFECT = (
    *(
        Flag(name, False, "No effect here.")
        for name in ("colorlogtostderr", "stop_logging_if_full_disk", "log_utc_time")
    ),
    *(Flag(name, True, "No effect here.") for name in ("symbolize_stacktrace", "drop_log_memory")),
    *(Flag(name, 0, "No effect here.") for name in ("logbuflevel", "logbufsecs", "max_log_size", "v", "logemaillevel")),
    *(Flag(name, "", "No effect here.") for name in ("vmodule", "alsologtoemail", "logmailer", "log_backtrace_at")),
)


def with_environment(flags: tuple[Flag, ...], environment: Mapping[str, str]) -> tuple[Flag, ...]:
    """glog's flags with the defaults that GLOG_NAME gives them."""
    return tuple(
        Flag(flag.name, _read(flag.default, environment[key]), flag.words)
        if (key := f"GLOG_{flag.name}") in environment
        else flag
        for flag in flags
    )


def _read(default: Value, text: str) -> Value:
    """As glog reads them: of a truth value the first letter, of a number what it begins with."""
    if isinstance(default, bool):
        return text[:1] in ("", "t", "T", "y", "Y", "1")
    if isinstance(default, int):
        try:
            return int(text)
        except ValueError:
            return 0
    return text


class Glog:
    """Takes lines that begin with the letter of their severity."""

    def __init__(self, program: str, settings: Parsed) -> None:
        """settings: the values of FLAGS."""
        self.program = program
        self.settings = settings
        self._files: dict[str, IO[str] | None] = {}  # by severity; None: it can't be written
        self._stderr_is_there = True

    def __call__(self, line: str) -> None:
        severity = LETTERS.index(line[0])
        on = self.settings.is_on
        if severity < self.settings.number("minloglevel"):
            return
        if not on("log_prefix"):
            line = line.partition("] ")[2]
        if on("logtostderr") or on("alsologtostderr") or severity >= self.settings.number("stderrthreshold"):
            self._tell(line)
        if not on("logtostderr"):
            for name in SEVERITIES[: severity + 1]:
                self._write(name, line)

    def close(self) -> None:
        for file in self._files.values():
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()

    def _tell(self, line: str) -> None:
        if self._stderr_is_there:
            try:
                sys.stderr.write(line)
                sys.stderr.flush()
            except OSError:  # whoever read it has gone
                self._stderr_is_there = False

    def _write(self, severity: str, line: str) -> None:
        if severity not in self._files:
            self._files[severity] = self._open(severity)
        file = self._files[severity]
        if file is not None:
            try:
                file.write(line)
                file.flush()
            except OSError as fault:  # a full disk is no reason to lose the run
                self._give_up(severity, file.name, fault)
                with contextlib.suppress(OSError):
                    file.close()

    def _open(self, severity: str) -> IO[str] | None:
        """The file of a severity, its head written, and its links."""
        now = time.localtime()
        host = socket.gethostname().partition(".")[0]
        try:
            user = getpass.getuser()
        except (KeyError, OSError):  # one that has no name
            user = str(os.getuid())
        stamp = time.strftime("%Y%m%d-%H%M%S", now)
        name = f"{self.program}.{host}.{user}.log.{severity}.{stamp}.{os.getpid()}"
        folder = self.settings.text("log_dir") or os.environ.get("TMPDIR") or "/tmp"
        path = os.path.join(folder, name)
        try:
            file = open(path, "a", encoding="utf-8", errors="surrogateescape")  # noqa: SIM115
            file.write(
                f"Log file created at: {time.strftime('%Y/%m/%d %H:%M:%S', now)}\n"
                f"Running on machine: {host}\n"
                "Log line format: [IWEF]mmdd hh:mm:ss.uuuuuu threadid file:line] msg\n"
            )
        except OSError as fault:
            self._give_up(severity, path, fault)
            return None
        _link(name, os.path.join(folder, f"{self.program}.{severity}"))
        if extra := self.settings.text("log_link"):
            _link(os.path.abspath(path), os.path.join(extra, f"{self.program}.{severity}"))
        return file

    def _give_up(self, severity: str, path: str, fault: OSError) -> None:
        self._files[severity] = None
        self._tell(f"warning: {path} can't be written ({fault.strerror}); the log goes to stderr alone\n")


def _link(target: str, path: str) -> None:
    """A link in place of the one that an earlier program has made; another user's stays."""
    with contextlib.suppress(OSError):
        if os.path.islink(path):
            os.remove(path)
        os.symlink(target, path)
