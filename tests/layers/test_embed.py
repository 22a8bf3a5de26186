import numpy as np
import pytest

from checks import Case, Run, case_test, refusal
from netcli.errors import DataError

PARAM = "type: 'Embed' embed_param { num_output: 5 input_dim: 7 %s }"


def embed(x, w, b=0.0):
    y = np.empty((*x.shape, w.shape[1]))
    for place in np.ndindex(x.shape):
        y[place] = w[int(x[place])] + b
    return [y]


WORDS = np.array([[0, 6, 3], [3, 3, 1]])
CASES = [
    Case("words", PARAM % "", [WORDS], embed, gradient=()),
    Case("one", PARAM % "", [WORDS[0]], embed, gradient=()),
    Case("no bias", PARAM % "bias_term: false", [WORDS], embed, gradient=()),
    Case("to four axes", PARAM % "", [WORDS.reshape(2, 3, 1)], embed, gradient=()),
    Case("to five axes", PARAM % "", [WORDS.reshape(2, 1, 1, 3)], embed, gradient=()),
]

test_layer = case_test(CASES)


@pytest.mark.parametrize("case", [CASES[0], CASES[3]], ids=["words", "to four axes"])
def test_gradients_of_the_parameters(case):
    run = Run(case, case.arrays)
    dy = np.random.default_rng(0).standard_normal(run.forward()[0].shape)
    dw, db = np.zeros((7, 5)), np.zeros(5)
    for place in np.ndindex(case.arrays[0].shape):
        dw[int(case.arrays[0][place])] += dy[place]
        db += dy[place]
    for got, want in zip(run.backward([dy])[1], (dw, db), strict=True):
        np.testing.assert_allclose(got, want)
    run.layer.backward(run.top, [False], run.bottom)
    np.testing.assert_allclose(run.layer.blobs[0].diff, 2 * dw)
    run.layer.learning = [False, False]
    run.layer.backward(run.top, [False], run.bottom)
    np.testing.assert_allclose(run.layer.blobs[0].diff, 2 * dw)
    np.testing.assert_allclose(run.layer.blobs[1].diff, 2 * db)


def test_numbers_beyond_input_dim():
    with pytest.raises(DataError, match=r"^index 7 at item \(1, 2\) is not in 0..6 of input_dim 7$"):
        Run(CASES[0], [np.array([[0, 6, 3], [3, 3, 7]])]).forward()


def test_refusals():
    assert refusal("type: 'Embed' embed_param { input_dim: 7 }", [(4,)]) == "needs num_output, 1 or more"
    assert refusal("type: 'Embed' embed_param { num_output: 7 }", [(4,)]) == "needs input_dim, 1 or more"
