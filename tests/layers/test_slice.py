import numpy as np
import pytest

from checks import Case, Run, case_test, refusal


def cut(axis, *points):
    return lambda x: np.split(x, points, axis)


def layer(param):
    return f"type: 'Slice' slice_param {{ {param} }}"


CASES = [
    Case("equal parts", "type: 'Slice'", [(2, 6, 2, 3)], cut(1, 2, 4), tops=3),
    Case("points", layer("slice_point: 2 slice_point: 3"), [(2, 7, 2, 3)], cut(1, 2, 3), tops=3),
    Case("last", layer("axis: -1 slice_point: 1"), [(2, 3, 2, 4)], cut(3, 1), tops=2),
    Case("images", layer("axis: 0"), [(4, 3)], cut(0, 2), tops=2, batch=False),
    Case("old name", layer("slice_dim: 2"), [(2, 3, 4)], cut(2, 2), tops=2),
    Case("one", "type: 'Slice'", [(2, 3, 2, 3)], lambda x: [x]),
]

test_layer = case_test(CASES)


def test_one_top_looks_at_the_bottom():
    run = Run(CASES[-1], CASES[-1].arrays)
    assert np.shares_memory(run.top[0].data, run.bottom[0].data)
    assert np.shares_memory(run.top[0].diff, run.bottom[0].diff)


@pytest.mark.parametrize(
    ("param", "tops", "message"),
    [
        ("", 4, "axis 1 of bottom 'x0' (2, 6) can't be cut into 4 equal parts; give slice_point"),
        ("slice_point: 2", 3, "3 tops take 2 slice_point, got 1"),
        (
            "slice_point: 2 slice_point: 2",
            3,
            "slice_point 2, 2 do not rise between 0 and 6, axis 1 of bottom 'x0' (2, 6)",
        ),
        ("slice_point: 0", 2, "slice_point 0 do not rise between 0 and 6, axis 1 of bottom 'x0' (2, 6)"),
        ("slice_point: 6", 2, "slice_point 6 do not rise between 0 and 6, axis 1 of bottom 'x0' (2, 6)"),
        ("axis: 2", 2, "axis 2 is not in a bottom of 2 axes"),
        ("axis: 1 slice_dim: 1", 2, "axis and its old name slice_dim are both given; leave one out"),
    ],
)
def test_refusals(param, tops, message):
    assert refusal(layer(param), [(2, 6)], tops=tops) == message
