"""What `netcli doctor` tells of a card: what it is, and whether it computes what the CPU does."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.ops import Ops
from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.prototxt import parse, schema

_log = logging.getLogger("netcli")

TOLERANCE = 2e-3  # of the largest number of a blob, or of 1: sums in another order, through a dozen layers

# A layer of every op that nets are made of; doctor names the first blob that differs.
NET = """
layer { name: "data" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 4 dim: 3 dim: 13 dim: 13 } shape { dim: 4 }
  data_filler { type: "gaussian" } data_filler { type: "constant" value: 1 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1" convolution_param {
  num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "relu1" }
layer { name: "lrn1" type: "LRN" bottom: "relu1" top: "lrn1" lrn_param { local_size: 5 alpha: 0.1 } }
layer { name: "lrn2" type: "LRN" bottom: "lrn1" top: "lrn2"
  lrn_param { local_size: 3 alpha: 0.1 norm_region: WITHIN_CHANNEL } }
layer { name: "pool1" type: "Pooling" bottom: "lrn2" top: "pool1" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2" convolution_param {
  num_output: 8 kernel_size: 3 pad: 1 group: 2 weight_filler { type: "xavier" } } }
layer { name: "bn2" type: "BatchNorm" bottom: "conv2" top: "bn2" }
layer { name: "scale2" type: "Scale" bottom: "bn2" top: "scale2" scale_param { bias_term: true } }
layer { name: "prelu2" type: "PReLU" bottom: "scale2" top: "prelu2" }
layer { name: "conv3" type: "Convolution" bottom: "pool1" top: "conv3" convolution_param {
  num_output: 8 kernel_size: 3 pad: 1 group: 8 weight_filler { type: "xavier" } } }
layer { name: "elu3" type: "ELU" bottom: "conv3" top: "elu3" }
layer { name: "sum" type: "Eltwise" bottom: "prelu2" bottom: "elu3" top: "sum" }
layer { name: "largest" type: "Eltwise" bottom: "prelu2" bottom: "elu3" top: "largest"
  eltwise_param { operation: MAX } }
layer { name: "concat" type: "Concat" bottom: "sum" bottom: "largest" bottom: "pool1" top: "concat" }
layer { name: "drop" type: "Dropout" bottom: "concat" top: "drop" }
layer { name: "pool2" type: "Pooling" bottom: "drop" top: "pool2"
  pooling_param { pool: AVE kernel_size: 2 stride: 2 } }
layer { name: "up" type: "Deconvolution" bottom: "pool2" top: "up" convolution_param {
  num_output: 4 kernel_size: 2 stride: 2 weight_filler { type: "xavier" } } }
layer { name: "ip1" type: "InnerProduct" bottom: "up" top: "ip1" inner_product_param {
  num_output: 16 weight_filler { type: "xavier" } } }
layer { name: "tanh1" type: "TanH" bottom: "ip1" top: "tanh1" }
layer { name: "sigmoid1" type: "Sigmoid" bottom: "ip1" top: "sigmoid1" }
layer { name: "product" type: "Eltwise" bottom: "tanh1" bottom: "sigmoid1" top: "product"
  eltwise_param { operation: PROD } }
layer { name: "ip2" type: "InnerProduct" bottom: "product" top: "ip2" inner_product_param {
  num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
"""


def first_difference(card: CudaDevice) -> str | None:
    """Run a net of every kind of layer forward and backward on the card, in strict float32, and by NumPy.

    Returns which blob or gradient differs first, and by how much; None: none does.
    """
    ours, theirs = (_passed(ops) for ops in (Ops(device=card), Ops("plain")))
    try:
        pairs = [(name, ours.blobs[name].host_data(), theirs.blobs[name].host_data()) for name in theirs.blobs]
        for layer, blobs in theirs.params.items():
            for number, blob in enumerate(blobs):
                mine = ours.params[layer][number]
                pairs.append((f"gradient {number} of {layer}", mine.host_diff(), blob.host_diff()))
        for name, got, want in pairs:
            error = float(np.abs(np.float64(got) - want).max(initial=0) / max(1.0, np.abs(want).max(initial=0)))
            if not error <= TOLERANCE:
                return f"{name} differs by {error:.2g} of its largest number"
        return None
    finally:
        ours.close()
        theirs.close()


def _passed(ops: Ops) -> Net:
    net = Net(parse(NET, schema.NetParameter), TRAIN, ops=ops, seed=1, keep_blobs=True)
    net.clear_diffs()
    net.forward()
    net.backward()
    return net


def told(card: CudaDevice) -> dict[str, Any]:
    """What doctor tells of a card; a check that fails is told, too, and the log has more of it."""
    free, total = card.memory
    try:
        difference = first_difference(card)
    except Exception as fault:
        _log.info("the check of card %d failed", card.number, exc_info=True)
        difference = f"{type(fault).__name__}: {(str(fault).splitlines() or [''])[0]}"
    return {
        "number": card.number,
        "model": card.model,
        "versions": card.versions,
        "processors": card.processors,
        "free": free,
        "total": total,
        "difference": difference,
    }
