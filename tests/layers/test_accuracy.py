import numpy as np
import pytest

from checks import Case, Run, case_test, refusal
from netcli.errors import DataError


def accuracy(axis=1, top_k=1, ignore=None, tops=1):
    def reference(x, labels):
        rows = np.moveaxis(x, axis, -1).reshape(-1, x.shape[axis])
        right, items = np.zeros(x.shape[axis]), np.zeros(x.shape[axis])
        for row, label in zip(rows, labels.reshape(-1).astype(int), strict=True):
            if label != ignore:
                items[label] += 1
                right[label] += sum(row[k] >= row[label] for k in range(len(row)) if k != label) < top_k
        return [right.sum() / max(1, items.sum()), right / np.maximum(1, items)][:tops]

    return reference


def case(name, inside, inputs, reference, **more):
    return Case(name, f"type: 'Accuracy' {inside}", inputs, reference, gradient=(), phase="TEST", **more)


rng = np.random.default_rng(5)
LABELS, SPATIAL = rng.integers(0, 5, 20), rng.integers(0, 5, (4, 3, 2))

CASES = [
    case("rows", "", [(20, 5), LABELS], accuracy()),
    case("top 2", "accuracy_param { top_k: 2 }", [(20, 5), LABELS.reshape(20, 1, 1, 1)], accuracy(top_k=2)),
    case("top all", "accuracy_param { top_k: 5 }", [(20, 5), LABELS], accuracy(top_k=5)),
    case("images", "", [(4, 5, 3, 2), SPATIAL], accuracy(tops=2), tops=2),
    case("axis -1", "accuracy_param { axis: -1 }", [(4, 3, 2, 5), SPATIAL], accuracy(3)),
    case("per class", "accuracy_param { ignore_label: 1 }", [(20, 5), LABELS], accuracy(ignore=1, tops=2), tops=2),
    case(
        "ignored is no class",
        "accuracy_param { ignore_label: 255 }",
        [(4, 5), np.array([255, 0, 255, 2])],
        accuracy(ignore=255, tops=2),
        tops=2,
    ),
    case("all ignored", "accuracy_param { ignore_label: 0 }", [(2, 5), np.zeros(2)], accuracy(ignore=0)),
    case("ties are wrong", "", [np.ones((3, 2)), np.array([0, 1, 0])], lambda x, labels: [0.0]),
    case("ties within top 2", "accuracy_param { top_k: 2 }", [np.ones((3, 2)), np.zeros(3)], lambda *_: [1.0]),
]

test_layer = case_test(CASES)


def test_label_that_is_no_class():
    run = Run(CASES[0], [np.zeros((4, 5)), np.array([0, 1, 10, 2])], np.float32)
    with pytest.raises(DataError, match=r"^label 10 at item 2 is not in 0..4 of bottom 'x0' \(4, 5\)$"):
        run.forward()


def test_refusals():
    kind = "type: 'Accuracy' bottom: 'ip' bottom: 'label'"
    assert refusal(kind + " accuracy_param { top_k: 6 }", [(4, 5), (4,)]) == (
        "top_k 6 exceeds the 5 classes of bottom 'ip' (4, 5)"
    )
    assert refusal(kind, [(4, 5), (5,)]) == (
        "bottom 'ip' (4, 5) with classes along axis 1 takes 4 labels, 'label' (5,) has 5"
    )
    assert refusal(kind + " accuracy_param { axis: -3 }", [(4, 5), (4,)]) == "axis -3 is not in a bottom of 2 axes"


def test_of_shares_the_largest_counts():
    scores = np.array([[0.1, 0.9, 0.0], [0.8, 0.1, 0.1], [0.2, 0.3, 0.5], [0.5, 0.4, 0.1]])
    shares = np.array([[0.2, 0.7, 0.1], [0.3, 0.1, 0.6], [0, 0, 1], [0.6, 0.4, 0]])
    case = Case("shares", "type: 'Accuracy'", ((4, 3), shares))
    assert float(Run(case, [scores, shares]).forward()[0]) == 0.75
