"""PyTorch's sides on a card: eager or compiled, channels_last, by TF32 or under autocast to bfloat16; and products.

Runs in any Python that has torch for CUDA and numpy; of images from files, Pillow too.

python -m tools.bench.gpu_torch CARD PRECISION KIND CASE [LIST]

KIND  eager, or a mode of torch.compile; "products": 8192x8192 matrices, which show the card's rate, and no CASE
LIST  a file of lines `path label`; without: random numbers that are on the card already
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from tools.bench.cases import Case, case_of
from tools.bench.torch_nets import build
from tools.bench.torch_side import loss_of
from tools.bench.turns import CardMeter, Step, serve

WARM_UP = 6  # steps: cuDNN chooses, modes of torch.compile record graphs
SIZE = 8192  # rows and columns of the matrices

Batches = Callable[[], tuple[Tensor, Tensor]]


def set_precision(precision: str) -> None:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.benchmark = True


def on_card(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    return x.to("cuda", memory_format=torch.channels_last, non_blocking=True), y.to("cuda", non_blocking=True)


def in_memory(case: Case) -> Batches:
    x, y = on_card(*(torch.from_numpy(array) for array in case.batch_of("train")))
    return lambda: (x, y)


def from_files(case: Case, path: str) -> Batches:
    """Batches of a DataLoader with a worker for each core."""
    from torch.utils.data import DataLoader  # with Pillow, for images from files alone

    from tools.bench.pipeline_torch import Files, OverAndOver

    files = Files(path, case.image[1])
    batches: Iterator[Any] = iter(
        DataLoader(
            files,
            case.batch,
            sampler=OverAndOver(len(files.paths)),
            num_workers=len(os.sched_getaffinity(0)),
            pin_memory=True,
        )
    )
    return lambda: on_card(*next(batches))


def prepare(kind: str, precision: str, case: Case, path: str = "") -> tuple[Step, dict[str, Any]]:
    set_precision(precision)
    batches = from_files(case, path) if path else in_memory(case)
    net = build(case.name, True).to("cuda", memory_format=torch.channels_last)
    optimiser = torch.optim.SGD(net.parameters(), lr=1e-5, momentum=0.9, weight_decay=5e-4, fused=True)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return loss_of(net(x), y)

    run = loss if kind == "eager" else torch.compile(loss, mode=kind)

    def step() -> None:
        x, y = batches()
        optimiser.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
            value = run(x, y)
        value.backward()
        optimiser.step()

    versions = {"torch": torch.__version__, "its CUDA": torch.version.cuda, "its cuDNN": torch.backends.cudnn.version()}
    return step, {"parameters": sum(p.numel() for p in net.parameters()), "versions": versions}


def products(precision: str) -> tuple[Step, dict[str, Any]]:
    """Matrix products of a size at which the card does nothing but multiply."""
    set_precision(precision)
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(SIZE, SIZE, device="cuda", dtype=dtype) for _ in range(2))
    c = torch.empty_like(a)
    return lambda: torch.matmul(a, b, out=c), {"flop": 2 * SIZE**3, "versions": {}}


def main() -> None:
    number, precision, kind, *about = sys.argv[1:]
    torch.cuda.set_device(int(number))
    meter = CardMeter(torch.cuda.mem_get_info, torch.cuda.synchronize)
    if kind == "products":
        serve(lambda: products(precision), meter)
    else:
        serve(lambda: prepare(kind, precision, case_of(about[0]), *about[1:]), meter, WARM_UP)


if __name__ == "__main__":
    main()
