import numpy as np
import pytest

from checks import Case, Run, case_test, refusal


def concat(axis):
    return lambda *xs: [np.concatenate(xs, axis)]


def layer(param):
    return f"type: 'Concat' concat_param {{ {param} }}"


CASES = [
    Case("channels", "type: 'Concat'", [(2, 3, 2, 3), (2, 1, 2, 3), (2, 2, 2, 3)], concat(1)),
    Case("images", layer("axis: 0"), [(2, 3), (1, 3)], concat(0), batch=False),
    Case("last", layer("axis: -1"), [(2, 3, 2, 3), (2, 3, 2, 1)], concat(3)),
    Case("old name", layer("concat_dim: 2"), [(2, 3, 2), (2, 3, 4)], concat(2)),
    Case("one", "type: 'Concat'", [(2, 3, 2, 3)], concat(1)),
]

test_layer = case_test(CASES)


def test_bottoms_that_want_no_gradient_are_left_alone():
    run = Run(CASES[0], CASES[0].arrays)
    run.forward()
    dy = run.top[0].diff
    dy[...] = np.arange(dy.size).reshape(dy.shape)
    for blob in run.bottom:
        blob.diff.fill(7)
    run.layer.backward(run.top, [False, True, False], run.bottom)
    assert (run.bottom[0].diff == 7).all()
    assert (run.bottom[2].diff == 7).all()
    np.testing.assert_array_equal(run.bottom[1].diff, dy[:, 3:4])


def test_one_bottom_is_looked_at():
    run = Run(CASES[-1], CASES[-1].arrays)
    assert np.shares_memory(run.top[0].data, run.bottom[0].data)
    assert np.shares_memory(run.top[0].diff, run.bottom[0].diff)


@pytest.mark.parametrize(
    ("param", "shapes", "message"),
    [
        ("", [(2, 3, 8, 8), (2, 3, 9, 8)], "bottoms differ off axis 1: 'x0' (2, 3, 8, 8), 'x1' (2, 3, 9, 8)"),
        ("", [(2, 3), (2, 3, 1)], "bottoms differ off axis 1: 'x0' (2, 3), 'x1' (2, 3, 1)"),
        ("axis: 2", [(2, 3)], "axis 2 is not in a bottom of 2 axes"),
        ("concat_dim: 2", [(2, 3)], "axis 2 is not in a bottom of 2 axes"),
        ("axis: 1 concat_dim: 1", [(2, 3)], "axis and its old name concat_dim are both given; leave one out"),
    ],
)
def test_refusals(param, shapes, message):
    assert refusal(layer(param), shapes) == message
