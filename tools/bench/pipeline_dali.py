"""DALI's side of the pipelines, on the CPU.  Imports no netcli.

python -m tools.bench.pipeline_dali LIST THREADS
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nvidia.dali
from nvidia.dali import fn, pipeline_def, types

from tools.bench.turns import Step, serve


@pipeline_def(batch_size=64, device_id=None, prefetch_queue_depth=4, seed=1)
def photographs(paths: list[str]) -> Any:
    files, labels = fn.readers.file(files=paths, labels=[0] * len(paths))
    images = fn.decoders.image_random_crop(
        files, device="cpu", random_area=[0.08, 1.0], random_aspect_ratio=[0.75, 1.333]
    )
    images = fn.resize(images, size=[224, 224])
    images = fn.crop_mirror_normalize(
        images,
        mirror=fn.random.coin_flip(),
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        dtype=types.FLOAT,
        output_layout="HWC",
    )
    return images, labels


def prepare(path: str, threads: int) -> tuple[Step, dict[str, Any]]:
    paths = [line.rsplit(" ", 1)[0] for line in Path(path).read_text().splitlines()]
    made = photographs(paths, num_threads=threads)
    made.build()
    return made.run, {"versions": f"DALI {nvidia.dali.__version__}"}


if __name__ == "__main__":
    path, threads = sys.argv[1:]
    serve(lambda: prepare(path, int(threads)))
