"""What a pycaffe program sets for the whole process: where it computes, the seed, its part among solvers."""

from __future__ import annotations

import logging

from netcli.arrays import random
from netcli.errors import NetcliError
from netcli.layers.registry import layer_types

_log = logging.getLogger("netcli")


class _Process:
    """The settings; seed: the program's, None without one; drawn: how many nets have had one made of it."""

    seed: int | None = None
    drawn = 0
    warned = False


def set_mode_cpu() -> None:
    """Compute on the CPU."""


def set_mode_gpu() -> None:
    """Asked for a GPU, compute on the CPU all the same, and says so once."""
    if not _Process.warned:
        _Process.warned = True
        _log.warning("set_mode_gpu: programs of pycaffe run on the CPU alone yet")


def set_device(device: int) -> None:
    """The number of the GPU; without effect on the CPU."""


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
