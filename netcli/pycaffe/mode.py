"""What a pycaffe program sets for the whole process: where it computes, the seed, its part among solvers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from operator import index
from typing import ClassVar

from netcli.arrays import random
from netcli.arrays.device import CPU, Device
from netcli.errors import NetcliError
from netcli.layers.registry import layer_types
from netcli.training.cards import card_or_cpu


class _Process:
    """The settings.

    seed    the program's, None without one; drawn: how many nets have had one made of it
    gpu     whether the nets to come are to compute on a card; number: on which
    given   the device that those are built on whatever the program says
    cards   those that were asked for, by their numbers; the CPU for one that can't be used
    """

    seed: int | None = None
    drawn = 0
    gpu = False
    number = 0
    given: Device | None = None
    cards: ClassVar[dict[int, Device]] = {}


def set_mode_cpu() -> None:
    """Have the nets and solvers that are built from now on compute on the CPU; those there are stay where they are."""
    _Process.gpu = False


def set_mode_gpu() -> None:
    """Have the nets and solvers that are built from now on compute on a card.

    Where it can't be used a warning says why when the first of them is built, and they compute on the CPU.
    """
    _Process.gpu = True


def set_device(device: int) -> None:
    """The number of the card, from 0, for those that are built from now on; without effect on the CPU."""
    _Process.number = index(device)


def device() -> Device:
    """What the next net or solver computes on."""
    if _Process.given is not None:
        return _Process.given
    if not _Process.gpu:
        return CPU
    number = _Process.number
    if number not in _Process.cards:
        _Process.cards[number] = card_or_cpu("set_mode_gpu", [number])
    return _Process.cards[number]


@contextmanager
def building_on(device: Device) -> Iterator[None]:
    """Nets and solvers that are built in it compute on this device."""
    before = _Process.given
    _Process.given = device
    try:
        yield
    finally:
        _Process.given = before


def set_random_seed(seed: int) -> None:
    """The seed of all draws of the nets and solvers built from now on; a solver's own random_seed goes first.

    As in Caffe, a program that builds several nets gets other draws in each.
    """
    _Process.seed, _Process.drawn = int(seed), 0


def next_seed() -> int:
    """The seed of the next net."""
    if _Process.seed is None:
        return random.new_seed()
    number = _Process.drawn
    _Process.drawn += 1
    if number == 0:
        return _Process.seed
    return int(random.words(_Process.seed, "seed of a net", number, 0, 1)[0, 0] >> 1)


def layer_type_list() -> list[str]:
    """The layer types there are, by their names in prototxts."""
    return sorted(layer_types())


def has_nccl() -> bool:
    """Whether several GPUs can share a training."""
    return False


def solver_count() -> int:
    """How many solvers share a training: 1."""
    return 1


def solver_rank() -> int:
    """The number of this one among them: 0."""
    return 0


def set_solver_count(count: int) -> None:
    """Raises NetcliError for more than one."""
    if count != 1:
        raise NetcliError(f"set_solver_count({count}): several solvers can't share a training yet")


def set_solver_rank(rank: int) -> None:
    """Raises NetcliError for any but the first."""
    if rank != 0:
        raise NetcliError(f"set_solver_rank({rank}): several solvers can't share a training yet")


def set_multiprocess(multiprocess: bool) -> None:
    """Raises NetcliError where several processes are to share a training."""
    if multiprocess:
        raise NetcliError("set_multiprocess(True): several processes can't share a training yet")


class NCCL:
    """Several GPUs that share a training; there is none, as in a Caffe built without NCCL (`has_nccl`)."""

    def __init__(self, solver: object, uid: object) -> None:  # noqa: ARG002
        raise NetcliError("several GPUs can't share a training yet: has_nccl() is False")
