"""Files of nets for the tests of pycaffe's interface."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from netcli import pycaffe as caffe

CONVNET = """
name: "convnet" force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 9 dim: 8 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 4 } } }
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } }
}
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer {
  name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
  inner_product_param { num_output: 6 weight_filler { type: "xavier" } }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""

DEPLOY = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 9 dim: 8 } } }
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 5 kernel_size: 3 weight_filler { type: "xavier" } }
}
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { global_pooling: true pool: AVE } }
layer { name: "prob" type: "Softmax" bottom: "pool" top: "prob" }
"""


def written(folder: Path, text: str, name: str = "net.prototxt") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


DATA = np.random.default_rng(0).standard_normal((4, 3, 9, 8)).astype(np.float32)  # for either


def convnet(folder, phase=caffe.TRAIN, text=CONVNET):
    """The same net each time."""
    caffe.set_random_seed(3)
    return caffe.Net(written(folder, text), phase)


def on_cpu(make):
    """What is made while a program that computes on a card has chosen the CPU."""
    caffe.set_mode_cpu()
    made = make()
    caffe.set_mode_gpu()
    return made
