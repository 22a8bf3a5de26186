import numpy as np
import pytest

from checks import Case, Run, refusal


def run(inside, tops=1, seed=0, dtype=np.float32):
    return Run(Case("", f"type: 'DummyData' dummy_data_param {{ {inside} }}", [], tops=tops, seed=seed), [], dtype)


SHAPE = "shape { dim: 2 dim: 3 dim: 4 dim: 5 }"
GAUSSIAN = "data_filler { type: 'gaussian' std: 1 }"


def test_without_a_filler_it_is_zeros():
    for top in run(SHAPE, tops=2).forward():
        np.testing.assert_array_equal(top, np.zeros((2, 3, 4, 5)))


def test_a_filler_and_a_shape_for_each_top():
    tops = run("shape { dim: 2 } shape { dim: 3 } data_filler { value: 5 } data_filler { value: 7 }", tops=2).forward()
    np.testing.assert_array_equal(tops[0], [5, 5])
    np.testing.assert_array_equal(tops[1], [7, 7, 7])


def test_legacy_sizes():
    data = run("num: 2 channels: 3 channels: 4 height: 5 width: 6", tops=2)
    assert [t.shape for t in data.top] == [(2, 3, 5, 6), (2, 4, 5, 6)]


def test_a_constant_top_keeps_what_a_program_puts_there():
    data = run(SHAPE + " data_filler { value: 5 }")
    data.top[0].data.fill(1)
    np.testing.assert_array_equal(data.forward()[0], 1)


def test_draws_depend_on_seed_top_and_pass_alone():
    first, again, other = run(SHAPE + GAUSSIAN, tops=2), run(SHAPE + GAUSSIAN, tops=2), run(SHAPE + GAUSSIAN, 2, seed=1)
    a, b = first.forward()
    np.testing.assert_array_equal(a, again.forward()[0])
    assert (a != b).all()
    assert (a != other.forward()[0]).all()
    first.layer.context.passes.value = 1
    assert (a != first.forward()[0]).all()
    first.layer.context.passes.value = 0
    np.testing.assert_array_equal(a, first.forward()[0])


def test_draws_are_in_caffes_order():
    flat = run("shape { dim: 120 }" + GAUSSIAN).forward()[0]
    np.testing.assert_array_equal(run(SHAPE + GAUSSIAN).forward()[0].ravel(), flat)


@pytest.mark.parametrize(
    ("inside", "tops", "message"),
    [
        (SHAPE + SHAPE, 3, "shape is given 2 times for 3 tops; give one for each or one for all"),
        ("", 1, "shape is given 0 times for 1 top; give one for each or one for all"),
        ("num: 1 channels: 1 height: 1", 1, "width is given 0 times for 1 top; give one for each or one for all"),
        (SHAPE + " num: 1", 1, "takes shape or num channels height width, not both"),
        ("shape { dim: -1 }", 1, "shape (-1,) has a size below 0"),
        (
            SHAPE + GAUSSIAN + GAUSSIAN,
            3,
            "data_filler is given 2 times for 3 tops; give one for each, one for all, or none",
        ),
    ],
)
def test_refusals(inside, tops, message):
    assert refusal(f"type: 'DummyData' dummy_data_param {{ {inside} }}", [], tops) == message
