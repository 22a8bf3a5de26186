import numpy as np
import pytest

from checks import Case, Run, case_test, refusal


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(c, s, cont):
    i, f, o, g = np.split(s, 4, axis=2)
    c = sigmoid(f) * c * cont[:, :, None] + sigmoid(i) * np.tanh(g)
    return [c, sigmoid(o) * np.tanh(c)]


UNIT = "type: 'LSTMUnit'"
CASES = [
    Case("step", UNIT, [(1, 3, 2), (1, 3, 8), [[0, 1, 1]]], reference, gradient=[0, 1], tops=2, batch=False),
    Case("cont between", UNIT, [(1, 2, 5), (1, 2, 20), [[0.3, 1]]], reference, gradient=[0, 1], tops=2, batch=False),
]

test_layer = case_test(CASES)


def test_other_sequences_after_a_reshape():
    rng = np.random.default_rng(0)
    larger = [rng.standard_normal((1, 4, 2)), rng.standard_normal((1, 4, 8)), np.ones((1, 4))]
    run = Run(CASES[0], CASES[0].arrays)
    run.forward()
    for blob, array in zip(run.bottom, larger, strict=True):
        blob.reshape(array.shape)
        blob.data[...] = array
    run.layer.reshape(run.bottom, run.top)
    for got, want in zip(run.forward(), reference(*larger), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-12)


def test_gates_far_from_zero_saturate():
    s = np.array([[[1000, 1000, 1000, 1000]], [[-1000, -1000, -1000, -1000]]]).reshape(1, 2, 4)
    run = Run(CASES[0], [np.full((1, 2, 1), 0.5), s, np.ones((1, 2))])
    c, h = run.forward()
    np.testing.assert_allclose(c.ravel(), [1.5, 0])
    np.testing.assert_allclose(h.ravel(), [np.tanh(1.5), 0])


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ([(2, 3, 2), (2, 3, 8), (2, 3)], "takes a cell as (1, N, D), got 'x0' (2, 3, 2)"),
        ([(1, 3, 2), (1, 3, 6), (1, 3)], "takes (1, 3, 8) beside bottom 'x0' (1, 3, 2), got 'x1' (1, 3, 6)"),
        ([(1, 3, 2), (1, 3, 8), (3,)], "takes (1, 3) beside bottom 'x0' (1, 3, 2), got 'x2' (3,)"),
        ([(1, 3, 2), (1, 3, 8)], "takes 3 bottoms, got 2"),
    ],
)
def test_refusals(shapes, message):
    assert refusal(UNIT, shapes, tops=2) == message
