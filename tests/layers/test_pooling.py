import numpy as np
import pytest

from arrays import references
from checks import Case, Run, case_test, refusal


def pool(method, out, kernel, stride, pad=(0, 0), mask=False):
    def reference(x):
        y, index, _ = references.pool(x, out, method, kernel, stride, pad)
        return [y, index] if mask else [y]

    return reference


def layer(param):
    return f"type: 'Pooling' pooling_param {{ {param} }}"


def both(name, param, shape, out, kernel, stride, pad=(0, 0)):
    """The case for each method; the values are a shuffled row of whole numbers, far apart."""
    x = np.random.default_rng(4).permutation(np.prod(shape)).reshape(shape) / 10
    for method in ("max", "ave"):
        text = layer(f"pool: {method.upper()} {param}")
        yield Case(f"{method} {name}", text, [x], pool(method, out, kernel, stride, pad))


def stochastic(name, param, shape, out, kernel, stride):
    """The case for either phase."""
    x = np.random.default_rng(4).uniform(0.1, 1, shape)
    for phase, draws in (("TRAIN", (9, "pool L", 0)), ("TEST", None)):
        yield Case(
            f"stochastic {name} in {phase}",
            layer(f"pool: STOCHASTIC {param}"),
            [x],
            lambda x, draws=draws: [references.stochastic_pool(x, out, kernel, stride, draws)[0]],
            phase=phase,
            seed=9,
        )


CASES = [
    *both("square", "kernel_size: 2 stride: 2", (2, 3, 4, 6), (2, 3), (2, 2), (2, 2)),
    *both("rounded up", "kernel_size: 3 stride: 2", (2, 2, 6, 5), (3, 2), (3, 3), (2, 2)),
    *both("rounded down", "kernel_size: 3 stride: 2 round_mode: FLOOR", (2, 2, 6, 5), (2, 2), (3, 3), (2, 2)),
    *both("ceil_mode", "kernel_size: 3 stride: 2 ceil_mode: false", (2, 1, 6, 5), (2, 2), (3, 3), (2, 2)),
    *both("torch_pooling", "kernel_size: 3 stride: 2 torch_pooling: true", (2, 1, 6, 5), (2, 2), (3, 3), (2, 2)),
    *both("padded", "kernel_size: 3 stride: 2 pad: 1", (2, 2, 5, 6), (3, 4), (3, 3), (2, 2), (1, 1)),
    *both("last window left out", "kernel_size: 2 stride: 2 pad: 1", (2, 2, 3, 3), (2, 2), (2, 2), (2, 2), (1, 1)),
    *both(
        "height and width",
        "kernel_h: 3 kernel_w: 2 stride_h: 2 stride_w: 1 pad_h: 1 pad_w: 0",
        (2, 2, 6, 5),
        (4, 4),
        (3, 2),
        (2, 1),
        (1, 0),
    ),
    *both("whole image", "global_pooling: true", (2, 3, 4, 3), (1, 1), (4, 3), (1, 1)),
    *both("kernel larger than the image", "kernel_size: 3 stride: 2", (2, 2, 2, 2), (1, 1), (3, 3), (2, 2)),
    *stochastic("square", "kernel_size: 2 stride: 2", (2, 3, 4, 6), (2, 3), (2, 2), (2, 2)),
    *stochastic("rounded up", "kernel_size: 3 stride: 2", (2, 2, 6, 5), (3, 2), (3, 3), (2, 2)),
    *stochastic("whole image", "global_pooling: true", (2, 3, 4, 3), (1, 1), (4, 3), (1, 1)),
]
WITH_MASK = Case(
    "mask",
    layer("kernel_size: 3 stride: 2"),
    [np.random.default_rng(4).permutation(120).reshape(2, 2, 6, 5) / 10],
    pool("max", (3, 2), (3, 3), (2, 2), mask=True),
    tops=2,
    gradient=(),
)

test_layer = case_test(CASES)
test_mask = case_test([WITH_MASK])


def test_the_mask_has_no_gradient():
    run, alone = (Run(case, WITH_MASK.arrays) for case in (WITH_MASK, CASES[2]))
    assert alone.case.name == "max rounded up"
    tops = run.forward()
    alone.forward()
    run.case = alone.case  # whose bottom has a gradient
    (dx,), _ = run.backward([np.ones(tops[0].shape), np.full(tops[0].shape, 9.0)])
    (want,), _ = alone.backward([np.ones(tops[0].shape)])
    np.testing.assert_array_equal(dx, want)


def test_of_equals_the_first_gets_the_gradient():
    case = Case("equal", layer("kernel_size: 3 stride: 2"), [np.ones((1, 1, 3, 3))])
    run = Run(case, case.arrays)
    run.forward()
    (dx,), _ = run.backward([np.ones((1, 1, 1, 1))])
    assert dx[0, 0, 0, 0] == dx.sum() == 1


def test_every_pass_and_every_seed_draws_others():
    case = next(case for case in CASES if case.name == "stochastic square in TRAIN")
    run = Run(case, case.arrays)
    first = run.forward()[0]
    np.testing.assert_array_equal(first, run.forward()[0])
    run.layer.context.passes.value += 1
    assert (run.forward()[0] != first).any()
    other = Case("other seed", case.prototxt, case.arrays, seed=10)
    assert (Run(other, other.arrays).forward()[0] != first).any()


def test_padding_drops_a_window_that_starts_in_it_on_the_axis_without_padding_too():
    # 5 wide: ceil((5 - 1) / 3) + 1 = 3 windows start at 0, 3 and 6
    param = "kernel_h: 3 kernel_w: 1 stride_h: 1 stride_w: 3 pad_h: 1 pad_w: 0"
    case = Case("one axis padded", layer(param), [(1, 1, 4, 5)])
    assert Run(case, case.arrays).top[0].shape == (1, 1, 4, 2)


def test_warns_of_windows_outside_the_image(caplog):
    case = Case("outside", layer("kernel_size: 1 stride: 2"), [np.ones((1, 1, 4, 4))])
    run = Run(case, case.arrays, np.float32)
    (message,) = caplog.messages
    assert message == (
        "layer 'L' (Pooling): the last windows of 3x3 lie outside bottom 'x0' (1, 1, 4, 4) and hold the lowest number, "
        "as in Caffe; round_mode: FLOOR leaves them out"
    )
    assert run.forward()[0][0, 0, 2, 2] == np.finfo(np.float32).min


def test_averages_of_windows_outside_the_image_are_zero(caplog):
    case = Case("outside", layer("pool: AVE kernel_size: 1 stride: 2"), [np.ones((1, 1, 4, 4))])
    assert Run(case, case.arrays, np.float32).forward()[0][0, 0, 2, 2] == 0
    assert "and hold 0, where Caffe may divide 0 by 0; round_mode: FLOOR" in caplog.text


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("", "kernel_size is missing"),
        ("kernel_size: 0", "the kernel is 0x0; the least is 1"),
        ("kernel_h: 3", "kernel_h is given without kernel_w"),
        (
            "kernel_size: 3 kernel_h: 3 kernel_w: 3",
            "kernel_size and kernel_h are both given, and say the same thing; leave one out",
        ),
        ("kernel_size: 3 stride: 0", "stride is 0x0; the least is 1"),
        (
            "kernel_size: 3 stride: 2 stride_h: 2 stride_w: 2",
            "stride and stride_h are both given, and say the same thing; leave one out",
        ),
        ("kernel_size: 3 pad: 3", "pad 3x3 is not less than the kernel 3x3"),
        ("kernel_size: 3 pad_h: 1", "pad_h is given without pad_w"),
        ("kernel_size: 9", "kernel 9x9 does not fit padded input 4x5 of bottom 'x0' (2, 3, 4, 5)"),
        ("global_pooling: true kernel_size: 2", "global_pooling takes no kernel_size"),
        ("global_pooling: true stride: 2", "global_pooling takes stride 1 and pad 0, got 2x2 and 0x0"),
        ("kernel_size: 2 avg_include_pad: false", "avg_include_pad, a field of Intel Caffe, is not in netcli yet"),
        ("pool: STOCHASTIC kernel_size: 2 pad: 1", "pool: STOCHASTIC takes no padding, got 1x1"),
        ("pool: DEF kernel_size: 2", "pool DEF is not in netcli yet; MAX, AVE and STOCHASTIC are"),
    ],
)
def test_refusals(param, message):
    assert refusal(layer(param), [(2, 3, 4, 5)]) == message


def test_refuses_other_than_images_and_a_mask_of_averages():
    assert refusal(layer("kernel_size: 2"), [(2, 3, 4)]) == "takes a bottom of 4 axes (N, C, H, W), got 'x0' (2, 3, 4)"
    assert refusal(layer("pool: AVE kernel_size: 2"), [(2, 3, 4, 5)], tops=2) == (
        "a second top, the mask, goes with pool: MAX only"
    )
    assert refusal(layer("kernel_size: 2"), [(2, 3, 4, 5)], tops=3) == "takes 1 to 2 tops, got 3"
