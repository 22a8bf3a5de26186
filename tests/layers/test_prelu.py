import numpy as np
import pytest

from checks import Case, Run, case_test, refusal
from netcli.errors import ShapeError


def prelu(x, a):
    a = a.reshape(a.shape + (1,) * (x.ndim - 2)) if a.ndim else a
    return [np.where(x > 0, x, a * x)]


CASES = [
    Case("images", "type: 'PReLU'", [(3, 3, 4, 5)], prelu, in_place=True),
    Case("rows", "type: 'PReLU'", [(4, 3)], prelu, in_place=True),
    Case("sequences", "type: 'PReLU'", [(2, 3, 4)], prelu),
    Case("volumes", "type: 'PReLU'", [(2, 3, 2, 2, 2)], prelu),
    Case("one slope", "type: 'PReLU' prelu_param { channel_shared: true }", [(2, 3, 4, 5)], prelu, in_place=True),
]

test_layer = case_test(CASES)


def test_slopes_begin_at_a_quarter_or_as_the_filler_says():
    run = Run(CASES[0], CASES[0].arrays)
    run.layer.fill()
    np.testing.assert_array_equal(run.layer.blobs[0].data, [0.25] * 3)
    text = "type: 'PReLU' prelu_param { channel_shared: true filler { value: 0.5 } }"
    run = Run(Case("", text, [(2, 3)]), [np.zeros((2, 3))])
    run.layer.fill()
    assert run.layer.blobs[0].data == 0.5
    assert run.layer.blobs[0].shape == ()


def test_slopes_that_do_not_learn_are_left_alone():
    run = Run(CASES[0], CASES[0].arrays)
    run.layer.learning = [False]
    np.testing.assert_array_equal(run.backward(run.forward())[1][0], 0)


def test_refusals():
    assert refusal("type: 'PReLU'", [(4,)]) == "takes a bottom of 2 axes or more, got 'x0' (4,)"
    run = Run(CASES[0], CASES[0].arrays)
    run.bottom[0].reshape((2, 4, 4, 5))
    with pytest.raises(ShapeError, match=r"^has slopes for 3 channels, bottom 'x0' \(2, 4, 4, 5\) has 4$"):
        run.layer.reshape(run.bottom, run.top)
