"""Single layers in PyTorch: reads layers as tools.bench.documents prints them, and prints what each took.

    python -m tools.bench.torch_ops WORK STEPS < layers.json

Milliseconds [forward, backward], eager and channels_last, the median of the steps; null for types not made here.
Backward has what the net needs: the parameters' gradients, and the bottom's where it has one.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Layer = dict[str, Any]


def convolution(layer: Layer) -> nn.Module:
    filters, size, stride, pad, group = layer["convolution"]
    channels = layer["bottom"][0][1]
    bias = layer["parameters"] > filters * channels // group * size * size
    return nn.Conv2d(channels, filters, size, stride, pad, groups=group, bias=bias)


def inner_product(layer: Layer) -> nn.Module:
    shape = layer["bottom"][0]
    inputs = 1
    for size in shape[1:]:
        inputs *= size
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, layer["outputs"]))


def pooling(layer: Layer) -> nn.Module | None:
    kind, size, stride, pad = layer["pooling"]
    pools = {0: nn.MaxPool2d, 1: nn.AvgPool2d}
    return pools[kind](size, stride, pad, ceil_mode=True) if kind in pools else None


MAKERS: dict[str, Callable[[Layer], nn.Module | None]] = {
    "Convolution": convolution,
    "InnerProduct": inner_product,
    "Pooling": pooling,
    "LRN": lambda _: nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0),
    "ReLU": lambda _: nn.ReLU(),
    "Dropout": lambda _: nn.Dropout(),
    "BatchNorm": lambda layer: nn.BatchNorm2d(layer["bottom"][0][1], affine=False),
}


def times(net: nn.Module, layer: Layer, memory_format: torch.memory_format, steps: int) -> tuple[float, float]:
    """Medians of (forward, backward) in milliseconds, after one step that is not counted."""
    x = torch.randn(layer["bottom"][0])
    if x.ndim == 4:
        net, x = net.to(memory_format=memory_format), x.to(memory_format=memory_format)
    x.requires_grad_(layer["data_gradient"])
    forward, backward = [], []
    for _ in range(steps + 1):
        begin = time.perf_counter()
        y = net(x)
        middle = time.perf_counter()
        forward.append(middle - begin)
        if y.requires_grad:
            gradient = torch.ones_like(y)
            middle = time.perf_counter()
            y.backward(gradient)
            backward.append(time.perf_counter() - middle)
        x.grad = None
        net.zero_grad()
    return 1000 * statistics.median(forward[1:]), 1000 * statistics.median(backward[1:] or [0.0])


def main() -> None:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    found = []
    train, steps = sys.argv[1] == "train", int(sys.argv[2])
    torch.set_grad_enabled(train)
    for layer in json.load(sys.stdin):
        net = MAKERS[layer["type"]](layer) if layer["type"] in MAKERS else None
        formats = (torch.contiguous_format, torch.channels_last)
        found.append([times(net.train(train), layer, each, steps) for each in formats] if net else None)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
