"""A small net of images for the tests of Classifier and Detector, and its scores by plain arithmetic."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from netcli import pycaffe

NET = """
layer {{
  name: "data" type: "Input" top: "data"
  input_param {{ shape {{ dim: {batch} dim: {channels} dim: {size} dim: {size} }} }}
}}
layer {{ name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param {{ num_output: 6 }} }}
layer {{ name: "prob" type: "Softmax" bottom: "ip" top: "prob" }}
"""


class ImageNet:
    """net, weights: files.  Six classes of (channels, size, size)."""

    def __init__(self, folder: Path, *, batch: int = 4, channels: int = 3, size: int = 8, spread: float = 1) -> None:
        self.net, self.weights = str(folder / "deploy.prototxt"), str(folder / "deploy.caffemodel")
        Path(self.net).write_text(NET.format(batch=batch, channels=channels, size=size))
        net = pycaffe.Net(self.net, pycaffe.TEST)
        rng = np.random.default_rng(1)
        self.w = rng.standard_normal((6, channels * size * size)).astype(np.float32) * np.float32(spread)
        net.params["ip"][0].data[...] = self.w
        net.save(self.weights)

    def scores(self, inputs: np.ndarray) -> np.ndarray:
        """(N, 6) float64 of inputs (N, C, H, W)."""
        logits = np.asarray(inputs, np.float64).reshape(len(inputs), -1) @ self.w.T.astype(np.float64)
        e = np.exp(logits - logits.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)
