import numpy as np
import pytest

from checks import Case, Run, case_test, refusal
from netcli.errors import ShapeError


def im2col(stride=1, pad=0, dilation=1, kernel=(3, 3), axis=1):
    def reference(x):
        sizes = x.shape[axis + 1 :]
        out = [max(0, s + 2 * pad - (dilation * (k - 1) + 1)) // stride + 1 for s, k in zip(sizes, kernel, strict=True)]
        y = np.zeros((*x.shape[: axis + 1], int(np.prod(kernel)), *out))
        for number, item in enumerate(np.ndindex(kernel)):
            for place in np.ndindex(*out):
                source = [stride * p - pad + dilation * i for p, i in zip(place, item, strict=True)]
                if all(0 <= s < size for s, size in zip(source, sizes, strict=True)):
                    y[(..., number, *place)] = x[(..., *source)]
        return [y.reshape(*x.shape[:axis], -1, *out)]

    return reference


def layer(param):
    return f"type: 'Im2col' convolution_param {{ {param} }}"


CASES = [
    Case("plain", layer("kernel_size: 3"), [(2, 3, 5, 4)], im2col()),
    Case("stride and pad", layer("kernel_size: 3 stride: 2 pad: 1"), [(2, 3, 6, 7)], im2col(2, 1)),
    Case("dilated", layer("kernel_size: 3 pad: 3 dilation: 2"), [(2, 3, 4, 5)], im2col(1, 3, 2)),
    Case("height and width", layer("kernel_h: 2 kernel_w: 3"), [(2, 3, 4, 5)], im2col(kernel=(2, 3))),
    Case("stride over kernel", layer("kernel_size: 2 stride: 3"), [(2, 2, 7, 6)], im2col(3, kernel=(2, 2))),
    Case("more pad than image", layer("kernel_size: 2 pad: 4"), [(2, 2, 1, 2)], im2col(1, 4, kernel=(2, 2))),
    Case("stride over image", layer("kernel_size: 2 pad: 2 stride: 4"), [(2, 2, 3, 2)], im2col(4, 2, kernel=(2, 2))),
    Case("larger than the image", layer("kernel_size: 4 stride: 2"), [(2, 2, 3, 6)], im2col(2, kernel=(4, 4))),
    Case("signal", layer("kernel_size: 3 stride: 2"), [(2, 3, 7)], im2col(2, kernel=(3,))),
    Case("volume", layer("kernel_size: 2 pad: 1"), [(2, 2, 3, 2, 2)], im2col(1, 1, kernel=(2, 2, 2))),
    Case("axis 2", layer("kernel_size: 3 axis: 2"), [(2, 3, 2, 5)], im2col(kernel=(3,), axis=2)),
]

test_layer = case_test(CASES)


def test_refusals():
    assert refusal(layer("kernel_size: 5"), [(2, 3, 4, 5)]) == (
        "kernel 5x5 does not fit padded input 4x5 of bottom 'x0' (2, 3, 4, 5)"
    )
    assert refusal(layer("kernel_size: 1"), [(2, 3)]) == "bottom 'x0' (2, 3) has no spatial axis behind its channels"
    assert refusal(layer(""), [(2, 3, 4, 5)]) == "kernel_size is missing"
    run = Run(CASES[0], CASES[0].arrays)
    run.bottom[0].reshape((2, 3, 5))
    with pytest.raises(ShapeError, match=r"^a window of 2 axes does not fit bottom 'x0' \(2, 3, 5\)$"):
        run.layer.reshape(run.bottom, run.top)
