import numpy as np
import pytest

from checks import Case, Run, case_test, refusal
from netcli.errors import DataError


def logistic(p, labels):
    rows = p.reshape(len(p), -1)
    return [-sum(np.log(max(row[int(k)], 1e-20)) for row, k in zip(rows, labels.ravel(), strict=True)) / len(p)]


def case(name, shape, labels):
    p = np.random.default_rng(6).uniform(0.1, 1, shape)
    return Case(name, "type: 'MultinomialLogisticLoss'", [p, labels], logistic, gradient=(0,), loss=True)


LABELS = np.array([0, 3, 1, 4])
CASES = [
    case("rows", (4, 5), LABELS),
    case("images", (4, 2, 3, 4), 5 * LABELS.reshape(4, 1, 1, 1)),
]

test_layer = case_test(CASES)


def test_probabilities_are_taken_to_be_at_least_1e_20():
    run = Run(CASES[0], [np.zeros((1, 2)), np.array([1])], np.float32)
    np.testing.assert_allclose(run.forward()[0], -np.log(1e-20), rtol=1e-6)
    np.testing.assert_allclose(run.backward([1.0])[0][0], [[0, -1e20]], rtol=1e-6)


def test_label_without_a_probability():
    with pytest.raises(DataError, match=r"^label -1 at item 1 is not in 0..4 of bottom 'x0' \(2, 5\)$"):
        Run(CASES[0], [np.zeros((2, 5)), np.array([0, -1])]).forward()


def test_refusals():
    kind = "type: 'MultinomialLogisticLoss' bottom: 'p' bottom: 'label'"
    assert refusal(kind, [(4, 5), (4, 2)]) == "takes one label for each image of bottom 'p' (4, 5), got 'label' (4, 2)"
