"""Eltwise's operations and Split's sum of gradients, by the bodies in use and by the plain ones, in turn.

    python -m tools.bench.eltwise [--images N] [--steps N]

Each line has the least time of some steps.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from google.protobuf import text_format

from netcli.arrays.ops import Ops
from netcli.arrays.threads import set_threads
from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.prototxt import schema
from netcli.prototxt.lines import Document

CHANNELS, SIZE = 64, 56
ENGINES = ("auto", "plain")
NAMES = "abcd"


def net(kind: str, count: int, images: int, engine: str) -> Net:
    """A net whose second layer is an Eltwise of so many bottoms, or a Split of so many tops."""
    shape = f"shape {{ dim: {images} dim: {CHANNELS} dim: {SIZE} dim: {SIZE} }}"
    several, one = NAMES[:count], "e"
    tops, bottoms = (several, one) if kind != "Split" else (one, several)
    text = f"force_backward: true layer {{ name: 'in' type: 'Input' input_param {{ {shape} }} {_words('top', tops)} }}"
    if kind == "Split":
        text += f"layer {{ name: 'e' type: 'Split' bottom: 'e' {_words('top', several)} }}"
    else:
        settings = f"eltwise_param {{ operation: {kind} }}"
        text += f"layer {{ name: 'e' type: 'Eltwise' {_words('bottom', several)} top: 'e' {settings} }}"
    for blob in bottoms:
        text += f"layer {{ name: 'loss {blob}' type: 'Reduction' bottom: '{blob}' top: 'loss {blob}' loss_weight: 1 }}"
    made = Net(Document(text_format.Parse(text, schema.NetParameter())), TRAIN, ops=Ops(engine), keep_blobs=True)
    rng = np.random.default_rng(1)
    for blob in tops:
        made.blobs[blob].data[...] = rng.standard_normal(made.blobs[blob].shape)
    made.forward()
    made.backward()
    return made


def _words(field: str, names: str) -> str:
    return " ".join(f"{field}: '{name}'" for name in names)


def seconds(run: Callable[[int, int], object]) -> float:
    start = time.perf_counter()
    run(1, 1)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--steps", type=int, default=20)
    given = parser.parse_args()
    set_threads(None)
    print(f"arrays of {given.images}x{CHANNELS}x{SIZE}x{SIZE}".ljust(28), *(f"{e:>16s}" for e in ENGINES))
    for kind in ("SUM", "PROD", "MAX", "Split"):
        for count in (2, 3, 4):
            nets = [net(kind, count, given.images, engine) for engine in ENGINES]
            for way in ("forward", "backward"):
                if (kind, way) in (("Split", "forward"), ("SUM", "backward")):
                    continue  # which copy nothing, or all that there is
                times = [[seconds(getattr(each, way)) for each in nets] for _ in range(given.steps)]
                print(f"{kind} of {count}, {way}".ljust(28), *(f"{1e3 * t:13.3f} ms" for t in np.min(times, axis=0)))


if __name__ == "__main__":
    main()
