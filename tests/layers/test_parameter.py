import numpy as np

from checks import Case, Run, refusal

CASE = Case("", "type: 'Parameter' parameter_param { shape { dim: 2 dim: 3 dim: 2 dim: 2 } }", [])


def test_the_top_is_the_parameter():
    run = Run(CASE, [])
    w = run.layer.blobs[0]
    w.data[...] = np.arange(24).reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(run.forward()[0], w.data)
    run.top[0].data.fill(0)
    assert w.data.any(), "what is done to the top must not be done to the parameter"


def test_gradients_sum_up():
    run = Run(CASE, [])
    dy = np.random.default_rng(0).standard_normal((2, 3, 2, 2))
    np.testing.assert_array_equal(run.backward([dy])[1][0], dy)
    run.layer.backward(run.top, [], [])
    np.testing.assert_array_equal(run.layer.blobs[0].diff, 2 * dy)
    run.layer.learning = [False]
    run.layer.backward(run.top, [], [])
    np.testing.assert_array_equal(run.layer.blobs[0].diff, 2 * dy)


def test_without_a_shape_it_is_a_scalar():
    assert Run(Case("", "type: 'Parameter'", []), []).top[0].shape == ()


def test_first_values():
    text = "type: 'Parameter' parameter_param { shape { dim: 2 } blob_filler { value: 3 } }"
    run = Run(Case("", text, []), [])
    run.layer.fill()
    np.testing.assert_array_equal(run.forward()[0], [3, 3])


def test_refusals():
    assert refusal("type: 'Parameter' parameter_param { shape { dim: -3 } }", []) == "shape (-3,) has a size below 0"
