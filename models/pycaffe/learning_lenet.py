"""A LeNet written in Python, and trained step by step with a look at what it learns."""

from __future__ import annotations

import argparse
from pathlib import Path

import caffe
import numpy as np
from caffe import layers as L
from caffe import params as P

BATCH, TEST_BATCH, TESTS = 64, 60, 6  # 6 batches of 60 are the 360 digits of the test set


def lenet(database: str, batch_size: int) -> caffe.NetSpec:
    """Two convolutions with max pooling, two inner products, on images of 8 x 8."""
    n = caffe.NetSpec()
    n.data, n.label = L.Data(
        batch_size=batch_size, backend=P.Data.LMDB, source=database, transform_param=dict(scale=1.0 / 255), ntop=2
    )
    n.conv1 = L.Convolution(n.data, kernel_size=3, num_output=20, weight_filler=dict(type="xavier"))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.conv2 = L.Convolution(n.pool1, kernel_size=2, num_output=50, weight_filler=dict(type="xavier"))
    n.fc1 = L.InnerProduct(n.conv2, num_output=100, weight_filler=dict(type="xavier"))
    n.relu1 = L.ReLU(n.fc1, in_place=True)
    n.score = L.InnerProduct(n.relu1, num_output=10, weight_filler=dict(type="xavier"))
    n.loss = L.SoftmaxWithLoss(n.score, n.label)
    return n


def write_solver(folder: Path) -> str:
    path = folder / "solver.prototxt"
    path.write_text(
        f'train_net: "{folder}/train.prototxt"\ntest_net: "{folder}/test.prototxt"\n'
        f"test_iter: {TESTS}\ntest_interval: 100000\n"  # this program makes the tests
        'base_lr: 0.05\nmomentum: 0.9\nweight_decay: 0.0005\nlr_policy: "inv"\ngamma: 0.0001\npower: 0.75\n'
        f'max_iter: 1000\nsnapshot_prefix: "{folder}/lenet"\nrandom_seed: 1\n'
    )
    return str(path)


def sketch(filters: np.ndarray) -> str:
    """Filters (n, 3, 3) side by side, darker where a weight is larger."""
    low, high = filters.min(), filters.max()
    shades = ((filters - low) / (high - low) * 9).astype(int)
    return "\n".join("   ".join("".join(" .:-=+*#%@"[shade] * 2 for shade in row) for row in rows)
                     for rows in shades.transpose(1, 0, 2))  # fmt: skip


def accuracy(net: caffe.Net) -> float:
    correct = 0
    for _ in range(TESTS):
        net.forward()
        correct += int((net.blobs["score"].data.argmax(1) == net.blobs["label"].data).sum())
    return correct / (TESTS * TEST_BATCH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train", default="data/digits/train_lmdb")
    parser.add_argument("--test", default="data/digits/test_lmdb")
    parser.add_argument("--out", type=Path, default=Path("runs/learning_lenet"))
    parser.add_argument("--iterations", type=int, default=200)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "train.prototxt").write_text(str(lenet(chosen.train, BATCH).to_proto()))
    (chosen.out / "test.prototxt").write_text(str(lenet(chosen.test, TEST_BATCH).to_proto()))

    caffe.set_mode_cpu()
    caffe.init_log(2)
    solver = caffe.SGDSolver(write_solver(chosen.out))
    for name, blob in solver.net.blobs.items():
        print(f"{name:8s}{blob.data.shape}")
    for name, (w, b) in solver.net.params.items():
        print(f"{name:8s}weights {w.data.shape}, biases {b.data.shape}")

    solver.net.forward()
    solver.test_nets[0].forward()
    print("the first labels:", solver.net.blobs["label"].data[:8].astype(int))
    solver.step(1)
    print("the first filters' gradients:")
    print(sketch(solver.net.params["conv1"][0].diff[:8, 0]))

    losses = np.zeros(chosen.iterations)
    for iteration in range(chosen.iterations):
        solver.step(1)
        losses[iteration] = solver.net.blobs["loss"].data
        # The same images through the net again, as its weights are now.
        solver.test_nets[0].forward(start="conv1")
        if iteration % 50 == 0:
            print(f"iteration {iteration}: loss {losses[iteration]:.3f}, accuracy {accuracy(solver.test_nets[0]):.3f}")
    print(f"after {solver.iter} iterations: accuracy {accuracy(solver.test_nets[0]):.4f}")
    solver.snapshot()


if __name__ == "__main__":
    main()
