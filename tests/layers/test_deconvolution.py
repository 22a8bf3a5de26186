import numpy as np
import pytest

from checks import Case, Run, case_test, refusal


def deconv(stride=1, pad=0, dilation=1, group=1):
    """Each item of x puts its filters onto y."""

    def reference(x, w, b=None):
        axes = x.ndim - 2
        extent = [dilation * (k - 1) + 1 for k in w.shape[2:]]
        sizes = [stride * (n - 1) + e for n, e in zip(x.shape[2:], extent, strict=True)]
        inputs, outputs = x.shape[1] // group, w.shape[1]
        y = np.zeros((len(x), outputs * group, *sizes))
        for n, c, *place in np.ndindex(x.shape):
            part = tuple(slice(stride * p, stride * p + e, dilation) for p, e in zip(place, extent, strict=True))
            first = c // inputs * outputs
            y[(n, slice(first, first + outputs), *part)] += x[(n, c, *place)] * w[c]
        y = y[(..., *(slice(pad, size - pad) for size in sizes))]
        return [y if b is None else y + b.reshape(-1, *(1,) * axes)]

    return reference


def two(x0, x1, w, b):
    return [deconv()(x, w, b)[0] for x in (x0, x1)]


def channels_at_2(x, w, b):
    y = deconv()(x.reshape(-1, *x.shape[2:]), w, b)[0]
    return [y.reshape(*x.shape[:2], *y.shape[1:])]


def layer(param):
    return f"type: 'Deconvolution' convolution_param {{ {param} }}"


CASES = [
    Case("square", layer("num_output: 4 kernel_size: 3"), [(2, 3, 5, 4)], deconv()),
    Case("no bias", layer("num_output: 4 kernel_size: 2 bias_term: false"), [(2, 3, 5, 4)], deconv()),
    Case("upsampling", layer("num_output: 3 kernel_size: 4 stride: 2 pad: 1"), [(2, 3, 3, 4)], deconv(2, 1)),
    Case("stride over kernel", layer("num_output: 2 kernel_size: 2 stride: 3"), [(2, 3, 3, 4)], deconv(3)),
    Case("dilated", layer("num_output: 3 kernel_size: 3 dilation: 2 pad: 1"), [(2, 2, 4, 3)], deconv(1, 1, 2)),
    Case("groups", layer("num_output: 6 kernel_size: 4 stride: 2 pad: 1 group: 2"), [(2, 4, 3, 4)], deconv(2, 1, 1, 2)),
    Case("each channel", layer("num_output: 4 kernel_size: 2 stride: 2 group: 4"), [(2, 4, 3, 2)], deconv(2, group=4)),
    Case("two bottoms", layer("num_output: 3 kernel_size: 2"), [(2, 2, 4, 3), (2, 2, 4, 3)], two, tops=2),
    Case("signal", layer("num_output: 3 kernel_size: 3 stride: 2"), [(2, 2, 5)], deconv(2)),
    Case("volume", layer("num_output: 2 kernel_size: 2"), [(2, 3, 3, 2, 2)], deconv()),
    Case("axis 2 of 4", layer("axis: 2 num_output: 3 kernel_size: 2"), [(2, 3, 4, 5)], channels_at_2),
    Case("no spatial axis", layer("num_output: 3 kernel_size: 1"), [(4, 5)], lambda x, w, b: [x @ w + b]),
]

test_layer = case_test(CASES)


@pytest.mark.parametrize("learning", [[True, False], [False, True], [False, False]])
def test_a_parameter_that_does_not_learn_gets_no_gradient(learning):
    run = Run(CASES[0], CASES[0].arrays)
    run.layer.learning = learning
    _, gradients = run.backward(run.forward())
    assert [bool(g.any()) for g in gradients] == learning


def test_bilinear_upsampling_keeps_a_constant_image():
    text = layer(
        "num_output: 2 kernel_size: 4 stride: 2 pad: 1 group: 2 bias_term: false weight_filler { type: 'bilinear' }"
    )
    run = Run(Case("", text, [(1, 2, 5, 5)]), [np.full((1, 2, 5, 5), 3.0)])
    run.layer.fill()
    np.testing.assert_allclose(run.forward()[0][:, :, 1:-1, 1:-1], 3)


def test_refusals():
    assert refusal(layer("num_output: 3 kernel_size: 3 pad: 2"), [(2, 3, 2, 9)]) == (
        "pad 2x2 takes all of the 4x11 that kernel 3x3 makes of bottom 'x0' (2, 3, 2, 9)"
    )
    assert refusal(layer("num_output: 3 kernel_size: 3 group: 2"), [(2, 4, 5, 5)]) == (
        "num_output 3 is not divisible by group 2"
    )
    assert refusal(layer("kernel_size: 3"), [(2, 4, 5, 5)]) == "num_output is missing, or 0"
