import numpy as np

from checks import Case, Run, case_test, refusal

T, N, D = 4, 2, 3
CONT = np.array([[0, 0], [1, 1], [0, 1], [1, 1]])
GOES_ON = np.ones((T, N))
STATE = (1, N, D)


def layer(param="num_output: 3"):
    return f"type: 'RNN' recurrent_param {{ {param} }}"


def steps(x, cont, from_static, h, w, b, w_hidden, w_output, b_output):
    """y of every step, and the last h; each (N, D)."""
    found = []
    for x_t, cont_t in zip(x, cont, strict=True):
        h = np.tanh(x_t.reshape(len(x_t), -1) @ w.T + b + from_static + (h * cont_t[:, None]) @ w_hidden.T)
        found.append(np.tanh(h @ w_output.T + b_output))
    return np.array(found), h


def plain(x, cont, *params):
    return [steps(x, cont, 0, np.zeros((x.shape[1], D)), *params)[0]]


def static(x, cont, x_static, w, b, w_static, *params):
    return [steps(x, cont, x_static @ w_static.T, np.zeros((x.shape[1], D)), w, b, *params)[0]]


def hidden(x, cont, h, *params):
    y, h = steps(x, cont, 0, h[0], *params)
    return [y, h[None]]


EXPOSED = "num_output: 3 expose_hidden: true"
# `loss` gives the first top alone a gradient: none goes through the state.
CASES = [
    Case("plain", layer(), [(T, N, 5), CONT], plain, gradient=[0]),
    Case("signals of four axes", layer(), [(T, N, 2, 3), CONT], plain, gradient=[0]),
    Case("cont between", layer(), [(T, N, 5), CONT * 0.4], plain, gradient=[0]),
    Case("going on", layer(), [(T, N, 5), GOES_ON], plain, gradient=[0], repeats=False, batch=False),
    Case("static", layer(), [(T, N, 5), CONT, (N, 4)], static, gradient=[0, 2], batch=False),
    Case("hidden", layer(EXPOSED), [(T, N, 5), GOES_ON, STATE], hidden, gradient=[0], tops=2, loss=True, batch=False),
]

test_layer = case_test(CASES)


def test_a_pass_goes_on_where_the_last_one_ended():
    x, cont = np.random.default_rng(0).standard_normal((2 * T, N, 5)), np.ones((2 * T, N))
    case = Case("two passes", layer(), [x, cont])
    whole = Run(case, [x, cont]).forward()[0]
    run = Run(case, [x[:T], cont[:T]])
    halves = [run.forward()[0]]
    run.bottom[0].data[...] = x[T:]
    halves.append(run.forward()[0])
    np.testing.assert_allclose(np.concatenate(halves), whole, rtol=1e-12)


def test_parameters_and_multiply_adds():
    case = Case("static", layer(), [(T, N, 5), CONT, (N, 4)])
    run = Run(case, case.arrays)
    assert [blob.shape for blob in run.layer.blobs] == [(3, 5), (3,), (3, 4), (3, 3), (3, 3), (3,)]
    assert run.layer.multiply_adds(run.bottom, run.top) == T * N * 3 * (5 + 3 + 3) + N * 3 * 4


def test_refusals():
    assert refusal(layer(""), [(T, N, 5), (T, N)]) == "num_output is missing, or 0"
    assert refusal(layer(EXPOSED), [(T, N, 5), (T, N)], 2) == "takes 3 or 4 bottoms with expose_hidden true, got 2"
    assert refusal(layer(EXPOSED), [(T, N, 5), (T, N), STATE]) == "takes 2 tops with expose_hidden true, got 1"
