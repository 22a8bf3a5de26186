"""Which device computes: the one that the command line names, or the solver's."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from netcli.arrays.cuda.card import Card, count
from netcli.arrays.device import CPU, Device
from netcli.errors import NetcliError
from netcli.prototxt.lines import Document

_log = logging.getLogger("netcli")


@dataclass(frozen=True)
class Chosen:
    """A device, and why it is not the card that the solver asks for."""

    device: Device
    reason: str | None = None

    @property
    def in_words(self) -> str | None:
        """What is to be told of it, where it is not the card that the solver asks for."""
        return f"solver_mode: GPU runs on the CPU: {self.reason}" if self.reason else None

    def told(self) -> Device:
        """The device, told by a warning where it is not the one that is asked for."""
        if self.in_words:
            _log.warning(self.in_words)
        return self.device


def device_of(solver: Document | None, gpu: int | None, engine: str = "auto") -> Chosen:
    """The card `gpu`; else, where solver_mode says GPU and there is one, card device_id; else the CPU.

    Raises NetcliError where the command line names a card that can't be used.
    """
    if gpu is not None:
        if engine == "plain":
            raise NetcliError("--engine plain is NumPy's, on the CPU: leave it out, or --gpu")
        return Chosen(Card(gpu))
    if solver is None or not solver.message.HasField("solver_mode"):
        return Chosen(CPU)
    if solver.message.solver_mode != solver.message.GPU or engine == "plain":
        return Chosen(CPU)
    try:
        return Chosen(Card(solver.message.device_id))
    except NetcliError as fault:
        return Chosen(CPU, fault.message)


def card_or_cpu(what: str, numbers: Sequence[int]) -> Device:
    """The first of some cards, or the CPU where it can't be used; a warning that begins with `what` says why.

    For programs that are called as Caffe's, whose files and scripts ask for cards whether there are any or not.
    """
    try:
        card = Card(numbers[0])
    except NetcliError as fault:
        _log.warning("%s: %s; the CPU computes", what, fault.message)
        return CPU
    if len(numbers) > 1:
        _log.warning("%s: several cards can't share a net yet; card %d computes alone", what, numbers[0])
    return card


def all_cards() -> list[int]:
    """The numbers of the cards there are; where there are none that of the first, which is told to be missing."""
    try:
        return list(range(count())) or [0]
    except NetcliError:
        return [0]
