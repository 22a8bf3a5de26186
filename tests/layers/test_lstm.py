import numpy as np
import pytest

from checks import Case, Run, case_test, refusal

T, N, D = 4, 2, 3
# A sequence begins with the pass, or within it.
CONT = np.array([[0, 0], [1, 1], [0, 1], [1, 1]])
GOES_ON = np.ones((T, N))
PARAM = "num_output: 3"


def layer(param=PARAM):
    return f"type: 'LSTM' recurrent_param {{ {param} }}"


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def steps(x, cont, from_static, h, c, w, b, w_hidden):
    """h of every step, and the last h and c; each (N, D)."""
    found = []
    for x_t, cont_t in zip(x, cont, strict=True):
        h, c = h * cont_t[:, None], c * cont_t[:, None]
        s = x_t.reshape(len(x_t), -1) @ w.T + b + from_static + h @ w_hidden.T
        i, f, o, g = np.split(s, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        found.append(h)
    return np.array(found), h, c


def plain(x, cont, w, b, w_hidden):
    zero = np.zeros((x.shape[1], D))
    return [steps(x, cont, 0, zero, zero, w, b, w_hidden)[0]]


def static(x, cont, x_static, w, b, w_static, w_hidden):
    zero = np.zeros((x.shape[1], D))
    return [steps(x, cont, x_static.reshape(len(x_static), -1) @ w_static.T, zero, zero, w, b, w_hidden)[0]]


def hidden(x, cont, h, c, w, b, w_hidden):
    y, h, c = steps(x, cont, 0, h[0], c[0], w, b, w_hidden)
    return [y, h[None], c[None]]


def hidden_static(x, cont, x_static, h, c, w, b, w_static, w_hidden):
    y, h, c = steps(x, cont, x_static @ w_static.T, h[0], c[0], w, b, w_hidden)
    return [y, h[None], c[None]]


STATE = (1, N, D)
EXPOSED = f"{PARAM} expose_hidden: true"
# `loss` gives the first top alone a gradient: none goes through the states.
CASES = [
    Case("plain", layer(), [(T, N, 5), CONT], plain, gradient=[0]),
    Case("images", layer(), [(T, N, 2, 3, 2), CONT], plain, gradient=[0]),
    Case("signals of four axes", layer(), [(T, N, 2, 3), CONT], plain, gradient=[0]),
    Case("one step of one sequence", layer(), [(1, 1, 2), np.zeros((1, 1))], plain, gradient=[0]),
    Case("cont between", layer(), [(T, N, 5), CONT * 0.4], plain, gradient=[0]),
    Case("static", layer(), [(T, N, 5), CONT, (N, 4)], static, gradient=[0, 2], batch=False),
    Case("static image", layer(), [(T, N, 5), CONT, (N, 2, 3, 2)], static, gradient=[0, 2], batch=False),
    Case("going on", layer(), [(T, N, 5), GOES_ON], plain, gradient=[0], repeats=False, batch=False),
    Case("hidden", layer(EXPOSED), [(T, N, 5), GOES_ON, STATE, STATE], hidden,
         gradient=[0], tops=3, loss=True, batch=False),
    Case("hidden and static", layer(EXPOSED), [(T, N, 5), CONT, (N, 4), STATE, STATE], hidden_static,
         gradient=[0, 2], tops=3, loss=True, batch=False),
]  # fmt: skip

test_layer = case_test(CASES)


def arrays(steps=T, sequences=N, seed=0):
    return [np.random.default_rng(seed).standard_normal((steps, sequences, 5)), np.ones((steps, sequences))]


def give(run, x, cont):
    for blob, array in zip(run.bottom, (x, cont), strict=True):
        blob.reshape(array.shape)
        blob.data[...] = array
    run.layer.reshape(run.bottom, run.top)
    return run.forward()[0]


@pytest.mark.parametrize("gradients", [True, False])
def test_a_pass_goes_on_where_the_last_one_ended(gradients):
    x, cont = arrays(2 * T)
    case = Case("two passes", layer(), [x, cont])
    whole = Run(case, [x, cont]).forward()[0]
    run = Run(case, [x[:T], cont[:T]], gradients=gradients)
    halves = [run.forward()[0], give(run, x[T:], cont[T:])]
    np.testing.assert_allclose(np.concatenate(halves), whole, rtol=1e-12)


def test_states_of_fewer_and_of_more_sequences():
    x, cont = arrays(sequences=4)
    case = Case("sequences", layer(), [x, cont])
    run = Run(case, [x, cont])
    first = run.forward()[0]
    fewer = give(run, x[:, :2], cont[:, :2])
    twice = Run(case, [np.concatenate([x, x])[:, :2], np.concatenate([cont, cont])[:, :2]]).forward()[0]
    np.testing.assert_allclose(fewer, twice[T:], rtol=1e-12)
    assert np.abs(fewer - first[:, :2]).max() > 1e-3
    more = arrays(sequences=5, seed=1)
    np.testing.assert_allclose(give(run, *more), Run(case, more).forward()[0], rtol=1e-12)


def test_exposed_states_are_written_whatever_their_tops_held_and_pass_no_gradient():
    case = CASES[-2]
    run = Run(case, case.arrays)
    want = run.forward()
    run.soil()
    for got, wanted in zip(run.forward(), want, strict=True):
        np.testing.assert_array_equal(got, wanted)
    y, *states = (np.ones_like(t) for t in want)
    with_states = run.backward([y, *states], wanted=[0, 2, 3])
    assert not run.bottom[2].diff.any()
    assert not run.bottom[3].diff.any()
    without = run.backward([y, *(0 * s for s in states)])
    for a, b in zip(with_states[1], without[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_fillers_go_to_weights_and_biases():
    fillers = "weight_filler { type: 'constant' value: 2 } bias_filler { type: 'constant' value: 3 }"
    case = Case("fillers", layer(f"{PARAM} {fillers}"), [(T, N, 5), CONT, (N, 4)])
    run = Run(case, case.arrays)
    run.layer.fill()
    assert [(blob.shape, blob.data.min(), blob.data.max()) for blob in run.layer.blobs] == [
        ((12, 5), 2, 2),
        ((12,), 3, 3),
        ((12, 4), 2, 2),
        ((12, 3), 2, 2),
    ]


def test_multiply_adds():
    case = Case("static", layer(), [(T, N, 5), CONT, (N, 4)])
    run = Run(case, case.arrays)
    assert run.layer.multiply_adds(run.bottom, run.top) == T * N * 12 * (5 + 3) + N * 12 * 4


@pytest.mark.parametrize(
    ("param", "shapes", "tops", "message"),
    [
        ("", [(4, 2, 5), (4, 2)], 1, "num_output is missing, or 0"),
        (PARAM, [(4, 2), (4, 2)], 1, "takes x as (T, N, ...) with T 1 or more, got 'x0' (4, 2)"),
        (PARAM, [(0, 2, 5), (0, 2)], 1, "takes x as (T, N, ...) with T 1 or more, got 'x0' (0, 2, 5)"),
        (
            PARAM,
            [(4, 2, 5), (2, 4)],
            1,
            "takes one number for each step and sequence of bottom 'x0' (4, 2, 5), got 'x1' (2, 4)",
        ),
        (
            PARAM,
            [(4, 2, 5), (4, 2), (4, 3)],
            1,
            "takes x_static as (N, ...) with N 2 as in bottom 'x0' (4, 2, 5), got 'x2' (4, 3)",
        ),
        (PARAM, [(4, 2, 5), (4, 2), (2, 3), STATE], 1, "takes 2 or 3 bottoms with expose_hidden false, got 4"),
        (PARAM, [(4, 2, 5), (4, 2)], 3, "takes 1 top with expose_hidden false, got 3"),
        (EXPOSED, [(4, 2, 5), (4, 2), (2, 3)], 3, "takes 4 or 5 bottoms with expose_hidden true, got 3"),
        (EXPOSED, [(4, 2, 5), (4, 2), STATE, STATE], 1, "takes 3 tops with expose_hidden true, got 1"),
        (EXPOSED, [(4, 2, 5), (4, 2), STATE, (2, 3)], 3, "takes states of (1, 2, 3), got 'x3' (2, 3)"),
        (
            f"{PARAM} weight_filler {{ type: 'bilinear' }}",
            [(4, 2, 5), (4, 2)],
            1,
            "the bilinear filler needs 4 axes and square kernels, the parameter is (12, 5)",
        ),
    ],
)
def test_refusals(param, shapes, tops, message):
    assert refusal(layer(param), shapes, tops) == message


@pytest.mark.parametrize(
    ("index", "shape", "message"),
    [
        (0, (T, N, 6), r"weights made for 5 items do not fit the 6 from axis 2 on of bottom 'x0' \(4, 2, 6\)"),
        (2, (N, 5), r"weights made for 4 items do not fit the 5 from axis 1 on of bottom 'x2' \(2, 5\)"),
    ],
)
def test_refuses_another_number_of_items_at_a_reshape(index, shape, message):
    case = CASES[5]
    run = Run(case, case.arrays)
    run.bottom[index].reshape(shape)
    with pytest.raises(Exception, match=message):
        run.layer.reshape(run.bottom, run.top)
