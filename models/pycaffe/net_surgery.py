"""Parameters set by hand: filters of one's own, and inner products recast as convolutions over larger images."""

from __future__ import annotations

import argparse
from pathlib import Path

import caffe
import numpy as np
from caffe import layers as L

IMAGE = "data/digits/images/7/0342.png"


def filtering() -> caffe.NetSpec:
    n = caffe.NetSpec()
    n.data = L.Input(input_param=dict(shape=dict(dim=[1, 1, 8, 8])))
    n.conv = L.Convolution(n.data, num_output=3, kernel_size=3, pad=1)
    return n


def classifier(side: int, recast: bool) -> caffe.NetSpec:
    """A small classifier of images of 8 x 8; recast, its inner products are convolutions, and images may be larger."""
    n = caffe.NetSpec()
    n.data = L.Input(input_param=dict(shape=dict(dim=[1, 1, side, side])))
    n.conv1 = L.Convolution(n.data, num_output=12, kernel_size=3, weight_filler=dict(type="xavier"))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2)
    if recast:
        setattr(n, "fc1-conv", L.Convolution(n.pool1, num_output=30, kernel_size=3))
        n.relu1 = L.ReLU(n["fc1-conv"], in_place=True)
        setattr(n, "fc2-conv", L.Convolution(n.relu1, num_output=10, kernel_size=1))
        n.prob = L.Softmax(n["fc2-conv"])
    else:
        n.fc1 = L.InnerProduct(n.pool1, num_output=30, weight_filler=dict(type="xavier"))
        n.relu1 = L.ReLU(n.fc1, in_place=True)
        n.fc2 = L.InnerProduct(n.relu1, num_output=10, weight_filler=dict(type="xavier"))
        n.prob = L.Softmax(n.fc2)
    return n


def built(spec: caffe.NetSpec, path: Path) -> caffe.Net:
    path.write_text(str(spec.to_proto()))
    return caffe.Net(str(path), caffe.TEST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", default=IMAGE)
    parser.add_argument("--out", type=Path, default=Path("runs/net_surgery"))
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    caffe.set_random_seed(1)

    image = caffe.io.load_image(chosen.image, color=False)  # (height, width, 1) in 0..1
    net = built(filtering(), chosen.out / "filtering.prototxt")
    net.blobs["data"].reshape(1, 1, *image.shape[:2])
    net.blobs["data"].data[...] = image[np.newaxis, np.newaxis, :, :, 0]
    w, b = net.params["conv"]
    w.data[0, 0] = [[0, 0, 0], [0, 1, 0], [0, 0, 0]]  # the image itself
    w.data[1, 0] = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]  # Sobel's filters: edges across, and along
    w.data[2, 0] = w.data[1, 0].T
    net.forward()
    before = net.blobs["conv"].data.copy()
    b.data[:] += 1
    net.forward()
    print("biases of 1 add", float((net.blobs["conv"].data - before).mean()))
    print("the first filter gives the image:", bool(np.allclose(before[0, 0], image[:, :, 0])))

    full = built(classifier(8, recast=False), chosen.out / "full.prototxt")
    recast = built(classifier(8, recast=True), chosen.out / "recast.prototxt")
    for name in ("conv1", "fc1", "fc2"):
        target = recast.params[name if name == "conv1" else f"{name}-conv"]
        for theirs, ours in zip(full.params[name], target, strict=True):
            ours.data.flat = theirs.data.flat  # of other shapes, but in the same order
    recast.save(str(chosen.out / "recast.caffemodel"))

    wide = np.random.default_rng(0).random((1, 1, 16, 24), np.float32)
    recast.blobs["data"].reshape(*wide.shape)
    maps = recast.forward(data=wide)["prob"].copy()
    print("the map of classes over an image of 16 x 24:", maps.shape)
    worst = 0.0
    for row in range(maps.shape[2]):
        for column in range(maps.shape[3]):
            window = wide[:, :, 2 * row : 2 * row + 8, 2 * column : 2 * column + 8]
            worst = max(worst, float(np.abs(full.forward(data=window)["prob"][0] - maps[0, :, row, column]).max()))
    print(f"the full net at each place of it differs by at most {worst:.1e}")


if __name__ == "__main__":
    main()
