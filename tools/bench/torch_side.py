"""PyTorch's sides: eager, channels_last, compile, and channels_last under autocast to bfloat16.

Runs in any Python that has torch and numpy.

python -m tools.bench.torch_side SIDE CASE WORK
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch._dynamo  # here, so that it counts among the imports: optimisers take it with their first step
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from tools.bench.cases import CASES, Case
from tools.bench.torch_nets import build
from tools.bench.turns import Step, serve

AUXILIARY = 0.3  # what each of GoogLeNet's auxiliary classifiers weighs
SIDES = ("torch eager", "torch channels_last", "torch compile", "torch bf16")


def loss_of(scores: Tensor | tuple[Tensor, ...], labels: Tensor) -> Tensor:
    if isinstance(scores, Tensor):
        return cross_entropy(scores, labels)
    main, *others = (cross_entropy(each, labels) for each in scores)
    return main + AUXILIARY * sum(others)


def trainer(net: nn.Module, run: Callable[[Tensor], Any], x: Tensor, y: Tensor) -> Step:
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-5, momentum=0.9, weight_decay=5e-4)

    def step() -> None:
        optimiser.zero_grad()
        loss_of(run(x), y).backward()
        optimiser.step()

    return step


def inferrer(run: Callable[[Tensor], Any], x: Tensor) -> Step:
    def step() -> None:
        with torch.inference_mode():
            run(x)

    return step


def prepare(side: str, case: Case, work: str) -> tuple[Step, dict[str, Any]]:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    train = work == "train"
    net = build(case.name, train)
    x, y = (torch.from_numpy(a) for a in case.batch_of(work))
    if side in ("torch channels_last", "torch bf16"):
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    run = torch.compile(net) if side == "torch compile" else net
    if side == "torch bf16":
        run = torch.autocast("cpu", torch.bfloat16)(net.forward)
    facts = {
        "parameters": sum(p.numel() for p in net.parameters()),
        "versions": {"torch": torch.__version__, "its numpy": np.__version__, "its Python": platform.python_version()},
    }
    return trainer(net, run, x, y) if train else inferrer(run, x), facts


if __name__ == "__main__":
    side, name, work = sys.argv[1:]
    serve(lambda: prepare(side, CASES[name], work))
