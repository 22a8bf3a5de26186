"""netcli's side of the pipelines: a net that is a data layer and nothing else.

python -m tools.bench.pipeline_netcli jpeg|part|raw|plain|numpy SOURCE
"""

from __future__ import annotations

import importlib.metadata
import sys
from typing import Any

from netcli.arrays.ops import Ops
from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.prototxt import parse, schema
from tools.bench.turns import Step, serve

PART = """
  transform_param {
    random_aspect_ratio_param { min_area_ratio: 0.08 aspect_ratio_change: 0.75 } crop_size: 224 mirror: true
    mean_value: 103.53 mean_value: 116.28 mean_value: 123.675 scale: 0.017429
  }
"""
FILES = f"""
layer {{ name: "data" type: "ImageData" top: "data" top: "label" {PART}
  image_data_param {{ source: "%s" batch_size: 64 }}
}}
"""
PIXELS = f"""
layer {{ name: "data" type: "Data" top: "data" top: "label" {PART}
  data_param {{ source: "%s" batch_size: 64 backend: LMDB }}
}}
"""
RECORDS = """
layer { name: "data" type: "Data" top: "data" top: "label"
  transform_param { crop_size: 224 mirror: true mean_value: 104 mean_value: 117 mean_value: 123 %s }
  data_param { source: "%s" batch_size: 64 backend: LMDB }
}
"""


def prepare(kind: str, source: str) -> tuple[Step, dict[str, Any]]:
    jitter = "" if kind == "plain" else "pca_jitter { }"
    parts = {"jpeg": FILES, "part": PIXELS}
    text = parts[kind] % source if kind in parts else RECORDS % (jitter, source)
    net = Net(parse(text, schema.NetParameter), TRAIN, ops=Ops("plain" if kind == "numpy" else "auto"), seed=1)
    names = ("netcli", "numpy", "numba", "lmdb", "simplejpeg")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
    return net.forward, {"versions": versions}


if __name__ == "__main__":
    kind, source = sys.argv[1:]
    serve(lambda: prepare(kind, source))
