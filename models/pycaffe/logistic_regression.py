"""Logistic regression as a net, on data in HDF5; then the same with a hidden layer."""

from __future__ import annotations

import argparse
from pathlib import Path

import caffe
import h5py
import numpy as np
from caffe import layers as L

FEATURES, BATCH = 4, 10


def make_data(folder: Path, count: int = 4000) -> None:
    """Two classes that a line parts poorly, because it has to bend: three quarters to learn from, the rest to test."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, FEATURES)).astype(np.float32)
    y = (x[:, 0] + 1.5 * np.tanh(2 * x[:, 1] * x[:, 2]) + 0.3 * rng.standard_normal(count) > 0).astype(np.float32)
    cut = count * 3 // 4
    for part, rows in (("train", slice(cut)), ("test", slice(cut, count))):
        with h5py.File(folder / f"{part}.h5", "w") as file:
            file["data"], file["label"] = x[rows], y[rows]
        (folder / f"{part}.txt").write_text(f"{folder / part}.h5\n")


def regression(source: str, hidden: int) -> caffe.NetSpec:
    n = caffe.NetSpec()
    n.data, n.label = L.HDF5Data(batch_size=BATCH, source=source, ntop=2)
    below = n.data
    if hidden:
        n.ip1 = L.InnerProduct(n.data, num_output=hidden, weight_filler=dict(type="xavier"))
        n.relu1 = below = L.ReLU(n.ip1, in_place=True)
    n.ip2 = L.InnerProduct(below, num_output=2, weight_filler=dict(type="xavier"))
    n.accuracy = L.Accuracy(n.ip2, n.label)
    n.loss = L.SoftmaxWithLoss(n.ip2, n.label)
    return n


def trained_accuracy(folder: Path, hidden: int, iterations: int) -> float:
    """Train, and return the accuracy on what was not learned from."""
    for part in ("train", "test"):
        (folder / f"{part}.prototxt").write_text(str(regression(str(folder / f"{part}.txt"), hidden).to_proto()))
    (folder / "solver.prototxt").write_text(
        f'train_net: "{folder}/train.prototxt"\ntest_net: "{folder}/test.prototxt"\n'
        "test_iter: 100\ntest_interval: 1000\n"
        'base_lr: 0.02\nlr_policy: "step"\ngamma: 0.3\nstepsize: 5000\nmomentum: 0.9\nweight_decay: 0.0005\n'
        f'max_iter: {iterations}\nsnapshot_prefix: "{folder}/hidden_{hidden}"\nrandom_seed: 1\n'
    )
    solver = caffe.get_solver(str(folder / "solver.prototxt"))
    solver.solve()
    net = solver.test_nets[0]
    found = [float(net.forward()["accuracy"]) for _ in range(100)]
    return float(np.mean(found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/logistic_regression"))
    parser.add_argument("--iterations", type=int, default=4000)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    caffe.init_log(2)
    make_data(chosen.out)
    for hidden in (0, 40):
        found = trained_accuracy(chosen.out, hidden, chosen.iterations)
        print(f"{hidden:2d} hidden units: accuracy {found:.3f}")


if __name__ == "__main__":
    main()
