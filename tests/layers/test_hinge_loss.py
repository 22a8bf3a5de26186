import numpy as np
import pytest

from checks import Case, Run, case_test, refusal
from netcli.errors import DataError


def hinge(power):
    def reference(x, labels):
        loss = 0.0
        for image, label in zip(x.reshape(len(x), -1), labels.ravel(), strict=True):
            for k, score in enumerate(image):
                loss += max(0.0, 1 - score if k == label else 1 + score) ** power
        return [loss / len(x)]

    return reference


def case(name, inside, inputs, power):
    return Case(name, f"type: 'HingeLoss' {inside}", inputs, hinge(power), gradient=(0,), loss=True)


LABELS = np.array([0, 3, 1, 4])
L2 = "hinge_loss_param { norm: L2 }"
CASES = [
    case("rows", "", [(4, 5), LABELS], 1),
    case("squares", L2, [(4, 5), LABELS.reshape(4, 1, 1, 1)], 2),
    case("images", "", [(4, 2, 3, 4), LABELS * 5], 1),
    case("squares of images", L2, [(4, 2, 3, 4), LABELS * 5], 2),
    case("one score", "", [(4,), np.zeros(4)], 1),
]

test_layer = case_test(CASES)


def test_label_without_a_score():
    with pytest.raises(DataError, match=r"^label 5 at item 1 is not in 0..4 of bottom 'x0' \(2, 5\)$"):
        Run(CASES[0], [np.zeros((2, 5)), np.array([0, 5])]).forward()


def test_refusals():
    kind = "type: 'HingeLoss' bottom: 'x' bottom: 'label'"
    assert refusal(kind, [(4, 5), (4, 2)]) == "takes one label for each image of bottom 'x' (4, 5), got 'label' (4, 2)"
    assert refusal(kind, [(4, 5), (3,)]) == "bottoms 'x' (4, 5) and 'label' (3,) differ along axis 0, the batch"
