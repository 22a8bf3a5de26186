import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks import Case, Run, case_test, refusal


def prototxt(dims, rest=""):
    return f"type: 'Reshape' reshape_param {{ shape {{ {' '.join(f'dim: {d}' for d in dims)} }} {rest} }}"


def reshape(*shape):
    return lambda x: [x.reshape(len(x), *shape)]


CASES = [
    Case("copy and infer", prototxt([0, 3, -1, 6]), [(2, 6, 4, 3)], reshape(3, 4, 6)),
    Case("images to rows", prototxt([0, -1]), [(2, 6, 4, 3)], reshape(72)),
    Case("rows to images", prototxt([0, 3, 2, 2]), [(2, 12)], reshape(3, 2, 2)),
    Case("middle axis split", prototxt([2, -1], "axis: 1 num_axes: 1"), [(2, 6, 4, 3)], reshape(2, 3, 4, 3)),
    Case("middle axes joined", prototxt([-1], "axis: 1 num_axes: 2"), [(2, 6, 4)], reshape(24)),
    Case("axis put in", prototxt([1], "axis: 1 num_axes: 0"), [(2, 6, 4)], reshape(1, 6, 4)),
    Case("axes put at the end", prototxt([1, 1], "axis: -1"), [(2, 6)], reshape(6, 1, 1)),
    Case("unchanged", prototxt([], "axis: -1"), [(2, 6, 3, 2)], reshape(6, 3, 2)),
    Case("axis removed", prototxt([], "axis: 1 num_axes: 1"), [(2, 1, 3)], reshape(3)),
]

test_layer = case_test(CASES)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.permutations(range(5)), st.data())
def test_items_keep_their_order(shape, order, data):
    target = [shape[i] for i in order if i < len(shape)]
    open_axis = data.draw(st.sampled_from([None, *range(len(target))]))
    dims = [-1 if i == open_axis else 0 if i < len(shape) and s == shape[i] else s for i, s in enumerate(target)]
    x = np.arange(float(np.prod(shape))).reshape(shape)
    run = Run(Case("", prototxt(dims), [x]), [x])
    np.testing.assert_array_equal(run.forward()[0], x.reshape(target))
    np.testing.assert_array_equal(run.backward([x.reshape(target)])[0][0], x)


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        (prototxt([-1, -1]), (2, 6), "shape [-1, -1] leaves open more than one size by -1"),
        (prototxt([-2, 6]), (2, 6), "shape [-2, 6] has a size below -1"),
        (prototxt([1, 2, 0]), (2, 6), "the 0 in shape [1, 2, 0] copies axis 2, and the bottom has 2"),
        (prototxt([5, -1]), (2, 6), "a bottom (2, 6) of 12 items does not fit into (5, -1)"),
        (prototxt([2, 5]), (2, 6), "a bottom (2, 6) of 12 items does not fit into (2, 5)"),
        (prototxt([0, -1]), (0, 6), "a bottom (0, 6) of 0 items does not fit into (0, -1)"),
        (prototxt([1], "axis: 3"), (2, 6), "axis 3 is not in a bottom of 2 axes"),
        (prototxt([1], "axis: -4"), (2, 6), "axis -4 is not in a bottom of 2 axes"),
        (prototxt([1], "num_axes: -2"), (2, 6), "num_axes is -2, not -1 (all) or more"),
        (prototxt([1], "axis: 1 num_axes: 2"), (2, 6), "axis 1 and num_axes 2 reach beyond the 2 axes of the bottom"),
    ],
)
def test_refusals(text, shape, message):
    assert refusal(text, [shape]) == message
