import numpy as np

from checks import Case, Run, case_test, refusal


def bias(axis):
    def reference(x, b):
        y = np.empty_like(x)
        for place in np.ndindex(x.shape):
            y[place] = x[place] + b[place[axis : axis + b.ndim]]
        return [y]

    return reference


CASES = [
    Case("channels", "type: 'Bias'", [(2, 3, 4, 5)], bias(1), in_place=True),
    Case("rows", "type: 'Bias'", [(2, 3)], bias(1), in_place=True),
    Case("two axes", "type: 'Bias' bias_param { num_axes: 2 }", [(2, 3, 4, 5)], bias(1)),
    Case("to the end", "type: 'Bias' bias_param { num_axes: -1 axis: 2 }", [(2, 3, 4, 5)], bias(2)),
    Case("axis 0", "type: 'Bias' bias_param { axis: 0 }", [(2, 3, 4)], bias(0), batch=False),
    Case("axis -1", "type: 'Bias' bias_param { axis: -1 }", [(2, 3, 4, 5)], bias(3)),
    Case("scalar", "type: 'Bias' bias_param { axis: 0 num_axes: 0 }", [(2, 3, 4, 5)], bias(0), in_place=True),
    Case("bottom", "type: 'Bias'", [(2, 3, 4, 5), (3,)], bias(1), batch=False),
    Case("bottom of all axes", "type: 'Bias' bias_param { axis: 0 }", [(2, 3, 4, 5), (2, 3, 4, 5)], bias(0)),
    Case("scalar bottom", "type: 'Bias'", [(2, 3, 4, 5), ()], bias(0)),
]

test_layer = case_test(CASES)


def test_a_bias_that_does_not_learn_is_left_alone():
    run = Run(CASES[0], CASES[0].arrays)
    run.layer.learning = [False]
    np.testing.assert_array_equal(run.backward(run.forward())[1][0], 0)


def test_refusals():
    kind = "type: 'Bias' bottom: 'x' bottom: 'b'"
    assert refusal(kind, [(2, 3), (2,)]) == (
        "bottom 'b' (2,) is not as large as the axes from 1 on of bottom 'x' (2, 3)"
    )
    assert refusal(kind, [(2, 3), (3, 1)]) == (
        "bottom 'b' (3, 1) is not as large as the axes from 1 on of bottom 'x' (2, 3)"
    )
    assert refusal("type: 'Bias' bottom: 'x' bias_param { num_axes: 2 }", [(2, 3)]) == (
        "num_axes is 2 from axis 1 on of bottom 'x' (2, 3); it is -1, or 0 to 1"
    )
    assert refusal("type: 'Bias' bias_param { num_axes: -2 }", [(2, 3)]) == (
        "num_axes is -2 from axis 1 on of bottom 'x0' (2, 3); it is -1, or 0 to 1"
    )
    assert refusal("type: 'Bias'", [(2,)]) == "axis 1 is not in a bottom of 1 axes"
    assert refusal("type: 'Bias' bias_param { filler { type: 'gausian' } }", [(2, 3)]).startswith("there is no filler")
