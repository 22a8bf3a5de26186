"""What a net, or a solver with its nets, will take of memory, told before any is taken; on a card, of the card's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from netcli.arrays.cuda.device import MOST_LIBRARY, CudaDevice
from netcli.arrays.machine import resident
from netcli.errors import NetcliError
from netcli.layers.batches import BatchLayer
from netcli.net import Net
from netcli.prototxt.lines import Document
from netcli.solvers import solver_types

MIB = 1 << 20
LIBRARY = "library"  # the key of what cuDNN works in


@dataclass(frozen=True)
class Part:
    """key: in JSON; name: for people; nbytes: at the peak; alone: bytes if nothing in it shared a place, 0: as many."""

    key: str
    name: str
    nbytes: int
    alone: int = 0


def parts(net: Net, solver: Document | None, tests: Sequence[Net]) -> list[Part]:
    """What is taken at the peak, a part each; of a solver with its history and the nets that it tests.

    On the CPU the program and its libraries are as large as they are now, with the code that they generated for these
    nets.  Pages of an LMDB that is read are resident too, and not counted: the system takes them back when it wants to.
    On a card program and libraries count only with what they take there.  What cuDNN works in is that of the plans it
    would take by its own order, or those known to be faster; where plans are still to be timed it may become more, but
    no more than `allot` leaves to it.
    """
    plan, device = net.memory, net.context.device
    work = net.work_space(add=solver is not None and solver.message.iter_size > 1)
    of_tests = [test.work_space() for test in tests]
    activations = "activations" + (" and their gradients" if plan.diffs else "")
    alone, together = plan.activations + plan.diffs, plan.arena + plan.apart
    kept = "kept for the gradients" if net.gradients else "the layers' own"
    # A net that is tested lies in the memory of the one that is trained, where it finds room there.
    arenas = sum(test.memory.arena for test in tests if test.memory.arena > plan.arena)
    in_tests = arenas + sum(test.memory.apart + _ahead(test) + _staged(test) for test in tests)
    found = [
        Part("parameters", "parameters", plan.parameters),
        Part("gradients", "gradients", plan.gradients),
        *_history(net, solver),
        Part("activations", activations, together, alone if alone > together else 0),
        Part("kept", kept, work.kept),
        # All nets of a run work in the same.
        Part("work_space", "work space", max(each.passing for each in (work, *of_tests))),
        Part(LIBRARY, "work space of cuDNN", max(each.library for each in (work, *of_tests))),
        Part("batches_ahead", "batches made ahead", _ahead(net)),
        Part("staging", "batches on their way to the card", _staged(net)),
        Part("test_nets", f"test net{'s' * (len(tests) > 1)}", in_tests + sum(each.kept for each in of_tests)),
        Part("libraries", "libraries and kernels, about", device.own_nbytes)
        if isinstance(device, CudaDevice)
        else Part("program", "program and libraries, about", resident()),
    ]
    return [part for part in found if part.nbytes]


def _history(net: Net, solver: Document | None) -> list[Part]:
    if solver is None or not net.gradients:
        return []
    name = solver.message.type
    count = sum(parameter.blob.count for parameter in net.learnable)
    nbytes = solver_types()[name].moments * count * int(np.dtype(net.context.dtype).itemsize)
    return [Part("history", f"{name}'s history", nbytes)]


def _ahead(net: Net) -> int:
    """Batches made ahead, which are the host's where the net is a card's."""
    if isinstance(net.context.device, CudaDevice):
        return 0
    return sum(layer.ahead_nbytes for layer in net.layers if isinstance(layer, BatchLayer))


def _staged(net: Net) -> int:
    return sum(layer.staged_nbytes for layer in net.layers if isinstance(layer, BatchLayer))


def total(found: Sequence[Part]) -> int:
    """Bytes of all."""
    return sum(part.nbytes for part in found)


def allot(card: CudaDevice, reckon: Callable[[], list[Part]]) -> list[Part]:
    """Let cuDNN work in what everything else leaves free on a card, and no more; returns the parts that are then taken.

    reckon: gives the parts; where those of cuDNN's first choice do not fit, plans that work in less take their place
    """
    card.most_library = MOST_LIBRARY
    found = reckon()
    free, _ = card.memory
    left = free - sum(part.nbytes for part in found if part.key != LIBRARY)
    if left < 0:
        return found
    card.most_library = min(MOST_LIBRARY, left)
    return found if total(found) <= free else reckon()


def check(card: CudaDevice, needed: int, images: int, passes: int, needed_by: Callable[[int], int]) -> None:
    """Raise NetcliError where less is free on a card than is needed, with the batch that would fit.

    needed     bytes, by a batch of so many images
    passes     iter_size; 0: nothing is trained
    needed_by  gives the bytes by a batch of fewer
    """
    free, whole = card.memory
    if needed <= free:
        return
    card.most_library = MOST_LIBRARY
    fits = _largest(images, free, needed, needed_by)
    if not fits:
        hint = "not even a batch of 1 would fit"
    elif passes:
        more = -(-images // fits)
        hint = f"batches of {-(-images // more)} with iter_size {passes * more} would fit"
    else:
        hint = f"a batch of {fits} would fit"
    raise NetcliError(
        f"{-(-needed // MIB)} MiB are needed, and card {card.number}, {card.model}, has {free // MIB} MiB free of "
        f"{whole // MIB}: {hint}"
    )


def _largest(images: int, free: int, needed: int, needed_by: Callable[[int], int]) -> int:
    """The images of a batch that fits, about as many as can be; 0: none does."""
    one = needed_by(1) if images > 1 else needed
    if one > free:
        return 0
    # Most of it grows with the batch; where it grows otherwise, a smaller one is tried.
    batch = 1 + (images - 1) * (free - one) // max(1, needed - one)
    while batch > 1 and needed_by(batch) > free:
        batch = batch * 7 // 8
    return batch
