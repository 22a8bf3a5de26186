import numpy as np
import pytest

from checks import Case, Run, case_test, refusal
from netcli.errors import DataError


def reindex(x, index):
    return [np.array([x[int(i)] for i in index]).reshape(len(index), *x.shape[1:])]


def case(name, shape, index):
    return Case(name, "type: 'BatchReindex'", [shape, np.array(index)], reindex, gradient=(0,), batch=False)


CASES = [
    case("images", (4, 3, 2, 5), [3, 0, 0, 2, 3, 3]),
    case("rows", (4, 3), [1]),
    case("numbers", (4,), [2, 2, 1]),
    case("none", (4, 3), []),
]

test_layer = case_test(CASES)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([0, 4], "index 4 at item 1 is not in 0..3 of bottom 'x0' (4, 3)"),
        ([0.5], "index 0.5 at item 0 is not a whole number in 0..3 of bottom 'x0' (4, 3)"),
    ],
)
def test_numbers_that_are_no_image(index, message):
    with pytest.raises(DataError) as caught:
        Run(CASES[1], [np.zeros((4, 3)), np.array(index)]).forward()
    assert str(caught.value) == message


def test_refusals():
    assert refusal("type: 'BatchReindex' bottom: 'x' bottom: 'i'", [(4, 3), (2, 1)]) == (
        "takes images and a list of their numbers, got bottoms 'x' (4, 3) and 'i' (2, 1)"
    )
