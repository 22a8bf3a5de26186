"""Flags as gflags spells them, which is how Caffe's programs take theirs.

    -solver F    --solver F    -solver=F    --solver=F       text or whole number
    -shuffle     -noshuffle    --shuffle=false               true or false; takes no word behind it
    -flagfile=F[,...]          flags from files              -fromenv=NAME[,...], -tryfromenv: from FLAGS_NAME
    -undefok=NAME[,...]        flags that need not be known  --: what follows are no flags

Flags and other words may stand in any order; of a flag given twice the last counts; a dash within a name is as good
as an underscore.  Departures: a flag in a file that is not known is a fault, where gflags passes over it; a flag that
stands where the value of another belongs is one too.
"""

from __future__ import annotations

import fnmatch
import os
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from netcli.errors import NetcliError, Place, suggestion

Value = str | int | bool
TRUE, FALSE = ("1", "t", "true", "y", "yes"), ("0", "f", "false", "n", "no")


class FlagError(NetcliError):
    """A fault in the flags, for which gflags ends a program with status 1."""


@dataclass(frozen=True)
class Flag:
    """A flag; the type of its default is its own.

    now: how netcli's own commands say the same, empty where they have no need to
    """

    name: str
    default: Value
    words: str
    now: str = ""


LISTS = ("flagfile", "fromenv", "tryfromenv", "undefok")  # each a list with commas
HELPS = ("help", "helpfull", "helpshort", "helppackage")
VERSION = "version"
OWN = (  # what every program of gflags takes
    *(Flag(name, "", "") for name in LISTS),
    *(Flag(name, False, "") for name in (*HELPS, VERSION)),
)


@dataclass
class Parsed:
    """What a command line says: the value of each flag, the other words, and which flags were given."""

    values: dict[str, Value]
    words: list[str]
    given: set[str]

    def text(self, name: str) -> str:
        return str(self.values[name])

    def number(self, name: str) -> int:
        return int(self.values[name])

    def is_on(self, name: str) -> bool:
        return bool(self.values[name])

    @property
    def wants_help(self) -> bool:
        return not self.given.isdisjoint(HELPS)

    @property
    def wants_version(self) -> bool:
        return VERSION in self.given


def parse(arguments: Sequence[str], flags: Sequence[Flag], program: str, others: Sequence[Flag] = ()) -> Parsed:
    """Read a command line; raises FlagError.

    program: its name, which sections of a flagfile may be for
    others: flags that it takes too, such as those for its log, which are rarely what was meant
    """
    reader = _Reader({flag.name: flag for flag in (*OWN, *others, *flags)}, program, [flag.name for flag in flags])
    reader.read(arguments)
    reader.refuse_unknown()
    return Parsed({flag.name: flag.default for flag in (*flags, *others)} | reader.values, reader.words, reader.given)


class _Reader:
    def __init__(self, flags: Mapping[str, Flag], program: str, likely: Sequence[str]) -> None:
        self.flags = flags
        self.likely = likely
        self.program = program
        self.values: dict[str, Value] = {}
        self.words: list[str] = []
        self.given: set[str] = set()
        self._allowed: set[str] = set()  # by undefok
        self._unknown: list[tuple[str, Place | None]] = []
        self._open: list[str] = []  # flagfiles being read, to notice one that names itself

    def read(self, arguments: Sequence[str]) -> None:
        waiting = list(arguments)
        while waiting:
            word = waiting.pop(0)
            if word == "--":
                self.words += waiting
                return
            if not word.startswith("-") or word == "-":
                self.words.append(word)
            else:
                self._take(word, waiting, None)

    def refuse_unknown(self) -> None:
        """Only at the end, for undefok may follow what it is about."""
        for name, place in self._unknown:
            if name not in self._allowed and name.removeprefix("no") not in self._allowed:
                near = suggestion(name, self.likely) or suggestion(name, self.flags)
                raise FlagError(f"unknown command line flag '{name}'{near}", place=place)

    def _take(self, word: str, waiting: list[str], place: Place | None) -> None:
        """One flag, whose value may be the first of the words that wait."""
        name, equals, value = word.lstrip("-").partition("=") if not word.startswith("---") else (word, "", "")
        flag, switched_off = self._find(name)
        if flag is None:
            self._unknown.append((name, place))
            return
        is_switch = isinstance(flag.default, bool)
        if not equals and not is_switch:
            if not waiting or self._is_flag(waiting[0]):
                raise FlagError(f"flag '{name}' is missing its argument", place=place)
            value = waiting.pop(0)
        if switched_off and equals:
            raise FlagError(f"flag '{name}' takes no value; -{flag.name}={value} does", place=place)
        self.given.add(flag.name)
        if flag.name in LISTS:
            self._take_own(flag.name, [part for part in value.split(",") if part])
        else:
            self.values[flag.name] = _value(flag, value, place) if equals or not is_switch else not switched_off

    def _find(self, name: str) -> tuple[Flag | None, bool]:
        """The flag, and whether the name switches it off."""
        for spelled in (name, name.replace("-", "_")):
            if spelled in self.flags:
                return self.flags[spelled], False
            flag = self.flags.get(spelled.removeprefix("no"))
            if flag is not None and isinstance(flag.default, bool):
                return flag, True
        return None, False

    def _is_flag(self, word: str) -> bool:
        return word.startswith("-") and self._find(word.lstrip("-").partition("=")[0])[0] is not None

    def _take_own(self, name: str, parts: list[str]) -> None:
        if name == "undefok":
            self._allowed.update(parts)
        elif name == "flagfile":
            for path in parts:
                self._read_file(path)
        elif name in ("fromenv", "tryfromenv"):
            for part in parts:
                self._take_environment(part, must=name == "fromenv")

    def _take_environment(self, name: str, *, must: bool) -> None:
        flag, _ = self._find(name)
        value = os.environ.get(f"FLAGS_{name}")
        if flag is None:
            self._unknown.append((name, None))
        elif value is not None:
            self.given.add(flag.name)
            self.values[flag.name] = _value(flag, value, Place(f"FLAGS_{name}"))
        elif must:
            raise FlagError(f"FLAGS_{name} is not in the environment, where -fromenv wants it")

    def _read_file(self, path: str) -> None:
        if path in self._open:
            raise FlagError("names itself as a flagfile", place=Place(path))
        self._open.append(path)
        try:
            with open(path, encoding="utf-8", errors="surrogateescape") as file:
                lines = file.read().splitlines()
        except OSError as fault:
            raise FlagError(f"the flagfile can't be read: {fault.strerror}", place=Place(path)) from None
        ours = True
        for number, line in enumerate(lines, 1):
            text = line.strip()
            if text.startswith("-"):
                if ours:
                    self._take(text, [], Place(path, number))
            elif text and not text.startswith("#"):  # the programs that the flags below are for
                ours = any(fnmatch.fnmatch(self.program, pattern) for pattern in text.split())
        self._open.pop()


def _value(flag: Flag, text: str, place: Place | None) -> Value:
    """What a flag is set to by a text."""
    if isinstance(flag.default, bool):
        if text.lower() in TRUE or text.lower() in FALSE:
            return text.lower() in TRUE
        raise FlagError(f"illegal value '{text}' specified for bool flag '{flag.name}'", place=place)
    if isinstance(flag.default, int):
        if not re.fullmatch(r"\s*[-+]?(0x[0-9a-fA-F]+|[0-9]+)", text):
            raise FlagError(f"illegal value '{text}' specified for int32 flag '{flag.name}'", place=place)
        number = int(text, 16 if "x" in text else 10)
        if not -(2**31) <= number < 2**31:
            raise FlagError(f"{text} is too large for int32 flag '{flag.name}'", place=place)
        return number
    return text


def help_text(flags: Sequence[Flag]) -> str:
    """The flags as a person reads them, each with what netcli's own commands call it."""
    lines = []
    for flag in flags:
        default = str(flag.default).lower() if isinstance(flag.default, bool) else str(flag.default)
        note = f"; default {default}" if default else ""
        now = f"  [netcli: {flag.now}]" if flag.now else ""
        lines.append(f"  -{flag.name} ({_kind(flag.default)}{note})")
        lines += textwrap.wrap(flag.words + now, 104, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)


def _kind(value: Any) -> str:
    return "true or false" if isinstance(value, bool) else "whole number" if isinstance(value, int) else "text"
