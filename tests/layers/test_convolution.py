import numpy as np
import pytest

from arrays import references
from checks import Case, Run, case_test, refusal


def conv(stride, pad=(0, 0), dilation=(1, 1), group=1):
    def reference(x, w, b=None):
        return [references.conv(x, w, b, stride, pad, dilation, group)]

    return reference


def two(x0, x1, w, b):
    return [references.conv(x, w, b, (1, 1), (0, 0), (1, 1), 1) for x in (x0, x1)]


def channels_at_2(x, w, b):
    """The axes before are images."""
    y = references.conv(
        x.reshape(-1, *x.shape[2:]), w, b, (1,) * (w.ndim - 2), (0,) * (w.ndim - 2), (1,) * (w.ndim - 2), 1
    )
    return [y.reshape(*x.shape[:2], *y.shape[1:])]


def no_spatial_axis(x, w, b):
    return [np.einsum("nc,mc->nm", x, w) + b]


def layer(param):
    return f"type: 'Convolution' convolution_param {{ {param} }}"


CASES = [
    Case("square", layer("num_output: 4 kernel_size: 3 pad: 1"), [(2, 3, 5, 4)], conv((1, 1), (1, 1))),
    Case("no bias", layer("num_output: 4 kernel_size: 2 bias_term: false"), [(2, 3, 5, 4)], conv((1, 1))),
    Case("one pixel", layer("num_output: 4 kernel_size: 1"), [(2, 3, 2, 3)], conv((1, 1))),
    Case(
        "two numbers",
        layer("num_output: 3 kernel_size: 2 kernel_size: 3 stride: 2 stride: 1 pad: 0 pad: 2"),
        [(2, 2, 6, 4)],
        conv((2, 1), (0, 2)),
    ),
    Case(
        "height and width",
        layer("num_output: 3 kernel_h: 2 kernel_w: 3 stride_h: 2 stride_w: 1 pad_h: 0 pad_w: 2"),
        [(2, 2, 6, 4)],
        conv((2, 1), (0, 2)),
    ),
    Case(
        "dilated as TSN says",
        layer("num_output: 3 kernel_size: 3 dilation_h: 1 dilation_w: 2"),
        [(2, 2, 6, 7)],
        conv((1, 1), dilation=(1, 2)),
    ),
    Case("dilated", layer("num_output: 3 kernel_size: 3 dilation: 2"), [(2, 2, 6, 7)], conv((1, 1), dilation=(2, 2))),
    Case(
        "groups",
        layer("num_output: 4 kernel_size: 3 group: 2 stride: 2 pad: 1 engine: CUDNN"),
        [(2, 6, 5, 4)],
        conv((2, 2), (1, 1), group=2),
    ),
    Case(
        "depthwise",
        layer("num_output: 4 kernel_size: 3 group: 4 pad: 1"),
        [(2, 4, 5, 4)],
        conv((1, 1), (1, 1), group=4),
    ),
    Case("two bottoms", layer("num_output: 3 kernel_size: 2"), [(2, 2, 4, 3), (2, 2, 4, 3)], two, tops=2),
    Case("signal", layer("num_output: 3 kernel_size: 3 stride: 2"), [(2, 2, 8)], conv((2,), (0,), (1,))),
    Case("volume", layer("num_output: 2 kernel_size: 2"), [(2, 3, 3, 2, 4)], conv((1,) * 3, (0,) * 3, (1,) * 3)),
    Case("axis 2 of 4", layer("axis: 2 num_output: 3 kernel_size: 2"), [(2, 3, 4, 5)], channels_at_2),
    Case("axis -3 of 5", layer("axis: -3 num_output: 3 kernel_size: 2"), [(2, 3, 2, 4, 3)], channels_at_2),
    Case(
        "larger than the image by less than the stride",
        layer("num_output: 3 kernel_size: 4 stride: 2"),
        [(2, 2, 3, 6)],
        lambda x, w, b: [references.conv(np.pad(x, [(0, 0)] * 2 + [(0, 1), (0, 0)]), w, b, (2, 2), (0, 0), (1, 1), 1)],
    ),
    Case("no spatial axis", layer("num_output: 3 kernel_size: 1"), [(4, 5)], no_spatial_axis),
]

test_layer = case_test(CASES)


def test_a_shared_weight_sums_beside_a_bias_of_its_own():
    case = CASES[0]
    run = Run(case, case.arrays)
    dy = [np.ones(y.shape) for y in run.forward()]
    _, (dw, db) = run.backward(dy)
    run.layer.blobs[1].clear_diff()  # the weight's diff holds what another layer put there
    run.layer.backward(run.top, [False], run.bottom)
    np.testing.assert_allclose(run.layer.blobs[0].diff, 2 * dw)
    np.testing.assert_allclose(run.layer.blobs[1].diff, db)


def test_warns_of_a_kernel_larger_than_its_input(caplog):
    case = Case("", layer("num_output: 2 kernel_size: 3 stride: 2"), [(1, 1, 2, 4)])
    assert Run(case, case.arrays).top[0].shape == (1, 2, 1, 1)
    assert (
        "kernel 3x3 does not fit padded input 2x4 of bottom 'x0' (1, 1, 2, 4); as in Caffe, "
        "zeros behind the input make up for what is less than the stride"
    ) in caplog.messages


def test_filters_stay_when_the_image_changes():
    run = Run(CASES[0], CASES[0].arrays)
    x = np.ones((1, 3, 2, 7))
    run.bottom[0].reshape(x.shape)
    run.bottom[0].data[...] = x
    run.layer.reshape(run.bottom, run.top)
    w, b = (blob.data for blob in run.layer.blobs)
    np.testing.assert_allclose(run.forward()[0], references.conv(x, w, b, (1, 1), (1, 1), (1, 1), 1))


@pytest.mark.parametrize(
    ("param", "message"),
    [
        (
            "num_output: 2 kernel_size: 7",
            "kernel 7x7 does not fit padded input 4x5 of bottom 'x0' (2, 3, 4, 5)",
        ),
        (
            "num_output: 2 kernel_size: 3 dilation: 3 pad: 1",
            "kernel 3x3, dilated to 7x7, does not fit padded input 6x7 of bottom 'x0' (2, 3, 4, 5)",
        ),
        (
            "num_output: 2 kernel_size: 7 stride: 3",
            "kernel 7x7 does not fit padded input 4x5 of bottom 'x0' (2, 3, 4, 5)",
        ),
        ("num_output: 2", "kernel_size is missing"),
        ("num_output: 2 kernel_size: 2 filter_stride: 2", "filter_stride, a field of ParseNet, is not in netcli yet"),
        ("num_output: 2 kernel_h: 3", "kernel_w is missing, or 0"),
        ("num_output: 2 kernel_size: 2 dilation_h: 2", "dilation_w is missing, or 0"),
        ("num_output: 2 kernel_size: 0", "kernel_size is 0; the least is 1"),
        (
            "num_output: 2 kernel_size: 3 kernel_h: 3 kernel_w: 3",
            "kernel_size and kernel_h are both given, and say the same thing; leave one out",
        ),
        ("num_output: 2 kernel_size: [3, 3, 3]", "kernel_size is given 3 times for 2 spatial axes"),
        ("num_output: 2 kernel_size: 3 stride: 0", "stride is 0; the least is 1"),
        ("num_output: 2 kernel_size: 3 dilation: 0", "dilation is 0; the least is 1"),
        ("kernel_size: 3", "num_output is missing, or 0"),
        ("num_output: 2 kernel_size: 3 group: 0", "group is 0; the least is 1"),
        ("num_output: 4 kernel_size: 3 group: 3", "num_output 4 is not divisible by group 3"),
        (
            "num_output: 4 kernel_size: 3 group: 2",
            "the 3 channels of bottom 'x0' (2, 3, 4, 5) are not divisible by group 2",
        ),
        ("num_output: 2 kernel_size: 3 axis: 4", "axis 4 is not in a bottom of 4 axes"),
        (
            "num_output: 2 kernel_h: 3 kernel_w: 3 axis: 2",
            "kernel_h is for 2 spatial axes, the bottom has 1; use kernel_size",
        ),
        (
            "num_output: 2 kernel_size: 3 weight_filler { type: 'xaver' }",
            "there is no filler 'xaver'; did you mean 'xavier'?",
        ),
    ],
)
def test_refusals(param, message):
    assert refusal(layer(param), [(2, 3, 4, 5)]) == message


def test_refuses_bottoms_that_do_not_match():
    param = layer("num_output: 2 kernel_size: 2")
    assert refusal(param, [(2, 3, 4, 5), (2, 3, 5, 5)], tops=2) == (
        "bottoms that share filters differ: 'x0' (2, 3, 4, 5), 'x1' (2, 3, 5, 5)"
    )
    assert refusal(param, [(2, 3, 4, 5)], tops=2) == "takes as many tops as bottoms, got 1 bottoms and 2 tops"


def test_refuses_other_channels_at_a_reshape():
    run = Run(CASES[0], CASES[0].arrays)
    run.bottom[0].reshape((2, 4, 5, 4))
    with pytest.raises(Exception, match=r"filters made for 3 channels and 2 spatial axes do not fit bottom 'x0'"):
        run.layer.reshape(run.bottom, run.top)
