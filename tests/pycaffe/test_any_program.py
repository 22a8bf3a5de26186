"""Programs that do this and that to a net: on a card, whose passes are recorded, they see what they see on the CPU."""

import random

import numpy as np
import pytest

from arrays.emulated.ops import CARD
from netcli import pycaffe as caffe
from pycaffe.nets import written

NET = """
name: "some" force_backward: true
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 2 dim: 6 dim: 5 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 3 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "drop" type: "Dropout" bottom: "pool" top: "drop" }
layer { name: "ip" type: "InnerProduct" bottom: "drop" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
layer { name: "loss" type: "MultinomialLogisticLoss" bottom: "prob" bottom: "label" top: "loss" }
"""
BLOBS = ["data", "conv", "pool", "drop", "ip", "prob", "loss"]
PARAMETERS = [("conv", 0), ("conv", 1), ("scale", 0), ("ip", 0), ("ip", 1)]


class Program:
    """Steps of a program, by what it draws; each returns what it sees."""

    def __init__(self, net, seed, weights):
        self.net, self.draws, self.weights = net, random.Random(seed), weights
        self.values = np.random.default_rng(seed)
        self.give()

    def give(self):
        data, label = self.net.blobs["data"], self.net.blobs["label"]
        data.data[...] = self.values.random(data.shape)
        label.data[...] = self.values.integers(0, 3, label.shape)

    def whole(self):
        """A loop that looks at little."""
        seen = []
        for _ in range(5):
            seen.append(self.net.forward()["loss"].copy())
            self.net.clear_param_diffs()
            self.net.backward()
        return [*seen, self.parameter().diff.copy()]

    def forward(self):
        return [self.net.forward()["loss"].copy()]

    def backward(self):
        return [self.net.backward()["data"].copy()]

    def some_forward(self):
        first = self.draws.choice(["conv", "pool", "ip"])
        return [each.copy() for _, each in sorted(self.net.forward(start=first, end="ip").items())]

    def some_backward(self):
        return [each.copy() for _, each in sorted(self.net.backward(end="ip").items())]

    def clear(self):
        self.net.clear_param_diffs()
        return []

    def parameter(self):
        name, index = self.draws.choice(PARAMETERS)
        return self.net.params[name][index]

    def write_weights(self):
        blob = self.parameter()
        blob.data[...] *= self.draws.choice([0.5, 1.5])
        return []

    def write_gradient(self):
        blob = self.parameter()
        blob.diff[...] += 0.25
        return [blob.diff.copy()]

    def look(self):
        blob = self.net.blobs[self.draws.choice(BLOBS)]
        return [blob.data.copy()]

    def write_loss_weight(self):
        self.net.blobs["loss"].diff[...] = self.draws.choice([1, 2])
        return []

    def other_batch(self):
        batch = self.draws.choice([2, 3, 4])
        self.net.blobs["data"].reshape(batch, 2, 6, 5)
        self.net.blobs["label"].reshape(batch)
        self.give()
        return self.forward()

    def load(self):
        self.net.copy_from(self.weights)
        return []

    def take_address(self):
        blob = self.net.blobs[self.draws.choice(BLOBS)]
        if self.net.engine.context.device is CARD:
            _ = blob._gpu_data_ptr, blob._gpu_diff_ptr
        return []

    def callbacks(self):
        self.net.after_forward(lambda i: None)
        seen = self.forward()
        self.net._passes.after_forward.clear()
        return seen

    STEPS = (
        *[whole] * 4, forward, forward, backward, give, some_forward, some_backward, clear, write_weights,
        write_gradient, look, look, write_loss_weight, other_batch, load, take_address, callbacks,
    )  # fmt: skip

    def run(self, count):
        """What it sees in so many steps, by their names."""
        self.forward()
        self.net.backward()
        for _ in range(count):
            step = self.draws.choice(self.STEPS)
            yield step.__name__, step(self) or []


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
@pytest.mark.parametrize("seed", range(4))
def test_a_program_sees_on_a_card_what_it_sees_on_the_cpu(tmp_path, card, seed, phase):
    path, weights = written(tmp_path, NET), str(tmp_path / "some.caffemodel")
    programs = []
    for on_card in (False, True):
        (caffe.set_mode_gpu if on_card else caffe.set_mode_cpu)()
        caffe.set_random_seed(seed)
        net = caffe.Net(path, phase)
        if not on_card:
            net.save(weights)
        programs.append(Program(net, seed, weights))
    before = card.replayed
    done = []
    for (name, want), (_, got) in zip(*(program.run(25) for program in programs), strict=True):
        done.append(name)
        for a, b in zip(got, want, strict=True):
            np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-4, err_msg=" ".join(done))
    assert card.replayed > before
