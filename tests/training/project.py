"""A net, a solver and data small enough to be trained in a moment, and what the tests do with them."""

import re
from pathlib import Path

import numpy as np

from databases import make_lmdb
from netcli.arrays.ops import Ops
from netcli.prototxt import read_solver
from netcli.training.hooks import Hook
from netcli.training.journal import Journal
from netcli.training.session import open_session

RECORDS = 22  # no multiple of a batch, so that positions tell

NET = """
name: "tiny"
layer {{
  name: "data" type: "Data" top: "data" top: "label" include {{ phase: TRAIN }}
  transform_param {{ scale: 0.00390625 crop_size: 5 mirror: true }}
  data_param {{ source: "{db}" batch_size: 4 backend: LMDB }}
}}
layer {{
  name: "data" type: "Data" top: "data" top: "label" include {{ phase: TEST }}
  transform_param {{ scale: 0.00390625 crop_size: 5 }}
  data_param {{ source: "{db}" batch_size: 3 backend: LMDB }}
}}
layer {{
  name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" param {{ lr_mult: 1 }} param {{ lr_mult: 2 decay_mult: 0 }}
  inner_product_param {{ num_output: 8 weight_filler {{ type: "xavier" }} }}
}}
layer {{ name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }}
layer {{ name: "drop1" type: "Dropout" bottom: "ip1" top: "ip1" }}
layer {{
  name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }}
}}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy" include {{ phase: TEST }} }}
"""

LENET = """
name: "LeNet"
layer {{
  name: "data" type: "Data" top: "data" top: "label" transform_param {{ scale: 0.00390625 }}
  data_param {{ source: "{db}" batch_size: 4 backend: LMDB }}
}}
layer {{
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param {{ lr_mult: 1 }} param {{ lr_mult: 2 }}
  convolution_param {{ num_output: 4 kernel_size: 3 weight_filler {{ type: "xavier" }} }}
}}
layer {{ name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param {{ kernel_size: 2 stride: 2 }} }}
layer {{
  name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2" param {{ lr_mult: 1 }} param {{ lr_mult: 2 }}
  convolution_param {{ num_output: 6 kernel_size: 2 weight_filler {{ type: "xavier" }} }}
}}
layer {{
  name: "ip1" type: "InnerProduct" bottom: "conv2" top: "ip1" param {{ lr_mult: 1 }} param {{ lr_mult: 2 }}
  inner_product_param {{ num_output: 8 weight_filler {{ type: "xavier" }} }}
}}
layer {{ name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }}
layer {{ name: "drop1" type: "Dropout" bottom: "ip1" top: "ip1" include {{ phase: TRAIN }} }}
layer {{
  name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param {{ num_output: 3 weight_filler {{ type: "xavier" }} }}
}}
layer {{ name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }}
layer {{ name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy" include {{ phase: TEST }} }}
"""

SOLVER = """
net: "{net}"
test_iter: 5
test_interval: 4
base_lr: 0.1
lr_policy: "inv"
gamma: 0.01
power: 0.75
momentum: 0.9
weight_decay: 0.001
display: 2
average_loss: 3
max_iter: 12
snapshot: 5
snapshot_prefix: "{prefix}"
random_seed: 7
"""


class Project:
    """The files, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.prefix = folder / "tiny"
        self.net = folder / "net.prototxt"
        self.solver = folder / "solver.prototxt"
        rng = np.random.default_rng(5)
        labels = rng.integers(0, 3, RECORDS)
        images = [rng.integers(0, 100, (1, 6, 6), np.uint8) + np.uint8(60 * label) for label in labels]
        make_lmdb(folder / "db", images, labels.tolist())
        self.net.write_text(NET.format(db=folder / "db"))
        self.write()

    def write(self, more: str = "", *, without: str = "") -> None:
        """Write the solver again, with other fields in place of those it has, and without one."""
        other = {without, *re.findall(r"(\w+):", more)}
        lines = SOLVER.format(net=self.net, prefix=self.prefix).splitlines()
        kept = [line for line in lines if line.partition(":")[0] not in other]
        self.solver.write_text("\n".join([*kept, more, ""]))

    def open(self, **options):
        """The session of the solver as it is written now."""
        document = read_solver(str(self.solver))
        seed = document.message.random_seed
        options = {"ops": Ops("plain"), **options}
        return open_session(document, options.pop("journal", Journal()), seed=seed, **options)

    def train(self, *hooks: Hook, **options):
        """Train with these hooks; returns the trainer, its nets closed."""
        session = self.open(**options)
        try:
            run = session.trainer()
            run.add(hooks)
            run.train()
        finally:
            session.close()
        return run


def weights_of(run) -> list:
    return [parameter.blob.host_data().copy() for parameter in run.net.learnable]


class Record(Hook):
    """Notes what happened, in order."""

    def __init__(self, stop_at=None):
        self.events = []
        self.losses = []
        self.scores = []
        self.stop_at = stop_at

    def computed(self, run):
        self.events.append(f"loss {run.iteration}")
        self.losses.append(run.loss)

    def updated(self, run):
        if run.iteration == self.stop_at:
            run.stopped = "SIGINT"

    def testing(self, run, index):
        self.events.append(f"test {run.iteration} #{index}")

    def tested(self, run, index, score):
        self.scores.append(score and (run.iteration, index, score.loss, [o.value for o in score.outputs]))

    def saved(self, run, weights, state):
        self.events.append(f"saved {Path(weights).name} {Path(state).name}")

    def looked(self, run):
        self.events.append(f"looked {run.iteration}")
        self.look = run.loss

    def last(self, run):
        self.events.append("last")

    def end(self, run):
        self.events.append("end")
