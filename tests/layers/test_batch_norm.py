import numpy as np
import pytest

from arrays import references
from checks import Case, Run, case_test, refusal

EPS = 1e-5


def by_batch(eps=EPS):
    def reference(x, mean, var, s):
        return [references.batch_norm(x, np.empty(len(mean)), np.empty(len(mean)), eps, False)]

    return reference


def by_averages(x, mean, var, s):
    factor = 0 if s[0] == 0 else 1 / s[0]
    return [references.batch_norm(x, mean * factor, var * factor, EPS, True)]


def layer(param):
    return f"type: 'BatchNorm' batch_norm_param {{ {param} }}"


def statistics(channels, s=2.5):
    rng = np.random.default_rng(8)
    return [rng.standard_normal(channels), rng.uniform(0.5, 2, channels), np.array([s])]


CASES = [
    Case("train", "type: 'BatchNorm'", [(3, 4, 2, 5)], by_batch(), statistics(4), in_place=True, rtol=3e-5),
    Case("rows", layer("eps: 0.01"), [(6, 3)], by_batch(0.01), statistics(3), in_place=True),
    Case("signal", "type: 'BatchNorm'", [(3, 2, 4)], by_batch(), statistics(2), in_place=True),
    Case("volume", "type: 'BatchNorm'", [(2, 2, 3, 2, 2)], by_batch(), statistics(2), in_place=True),
    Case("test", "type: 'BatchNorm'", [(3, 4, 2, 5)], by_averages, statistics(4), phase="TEST", in_place=True),
    Case("global in train", layer("use_global_stats: true"), [(3, 4, 2, 5)], by_averages, statistics(4), in_place=True),
    Case("batch in test", layer("use_global_stats: false"), [(4, 3)], by_batch(), statistics(3), phase="TEST"),
    Case("nothing seen yet", "type: 'BatchNorm'", [(2, 2, 3, 1)], by_averages, statistics(2, s=0), phase="TEST"),
]

test_layer = case_test(CASES)


@pytest.mark.parametrize("shape", [(3, 4, 2, 5), (1, 4)])
def test_running_sums(shape):
    case = Case("sums", layer("moving_average_fraction: 0.9"), [shape], params=statistics(4))
    run = Run(case, case.arrays)
    x, m = case.arrays[0], np.prod(shape) // 4
    axes = tuple(i for i in range(x.ndim) if i != 1)
    unbiased = x.var(axes) * (m / (m - 1) if m > 1 else 1)
    want = case.params
    for _ in range(2):
        run.forward()
        want = [0.9 * old + new for old, new in zip(want, (x.mean(axes), unbiased, 1), strict=True)]
    for blob, value in zip(run.layer.blobs, want, strict=True):
        np.testing.assert_allclose(blob.data, value, rtol=1e-6)  # the fraction is a float32


def test_averages_are_left_alone_where_they_are_used():
    run = Run(CASES[4], CASES[4].arrays)
    run.forward()
    for blob, value in zip(run.layer.blobs, CASES[4].params, strict=True):
        np.testing.assert_array_equal(blob.data, value)


def test_blobs_start_from_zero():
    case = Case("fresh", "type: 'BatchNorm'", [(3, 4)])
    run = Run(case, case.arrays, params=[0, 0, 0])
    run.layer.fill()
    assert [(blob.shape, blob.data.any()) for blob in run.layer.blobs] == [((4,), False), ((4,), False), ((1,), False)]


def test_refusals():
    assert refusal("type: 'BatchNorm'", [(3,)]) == "takes a bottom of 2 axes or more, got 'x0' (3,)"
    spec = "param { lr_mult: 0 } param { lr_mult: 1 }"
    assert refusal(layer("scale_bias: true"), [(3, 4)]) == "scale_bias, a field of NVCaffe, is not in netcli yet"
    assert refusal(f"type: 'BatchNorm' {spec}", [(3, 4)]) == (
        "param 1 has lr_mult 1, but statistics are not learned; give lr_mult: 0"
    )


def test_refuses_other_channels_at_a_reshape():
    run = Run(CASES[1], CASES[1].arrays)
    run.bottom[0].reshape((6, 4))
    with pytest.raises(Exception, match=r"statistics of 3 channels do not fit bottom 'x0' \(6, 4\)"):
        run.layer.reshape(run.bottom, run.top)
