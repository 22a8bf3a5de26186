import numpy as np
import pytest

from checks import Case, Run, case_test, refusal


def scale(axis=1):
    def reference(x, s, b=0.0):
        shape = (*[1] * (axis if s.ndim else 0), *s.shape, *[1] * (x.ndim - axis - s.ndim if s.ndim else x.ndim))
        return [x * s.reshape(shape) + (b.reshape(shape) if np.ndim(b) or np.size(b) > 1 else b)]

    return reference


def layer(param):
    return f"type: 'Scale' scale_param {{ {param} }}"


CASES = [
    Case("channels", "type: 'Scale'", [(2, 3, 4, 5)], scale(), in_place=True),
    Case("bias", layer("bias_term: true"), [(2, 3, 4, 5)], scale(), in_place=True),
    Case("rows", layer("bias_term: true"), [(4, 3)], scale(), in_place=True),
    Case("two axes", layer("axis: 1 num_axes: 2 bias_term: true"), [(2, 3, 4, 5)], scale(), in_place=True),
    Case("to the last", layer("axis: -2 num_axes: -1"), [(2, 3, 4, 5)], scale(2), in_place=True),
    Case("scalar", layer("num_axes: 0 bias_term: true"), [(2, 3, 4)], scale(), in_place=True),
    Case("every item", layer("axis: 0 num_axes: -1"), [(2, 3, 2, 2)], scale(0), in_place=True, batch=False),
    Case("images", layer("axis: 0 bias_term: true"), [(2, 3, 4, 5)], scale(0), in_place=True, batch=False),
    Case("bottom of channels", "type: 'Scale'", [(2, 3, 4, 5), (3,)], scale(), batch=False, in_place=True),
    Case("bottom and bias", layer("bias_term: true"), [(2, 3, 4, 5), (3, 4)], scale(), batch=False, in_place=True),
    Case("bottom of images", layer("axis: 0"), [(2, 3, 4, 5), (2, 3)], scale(0), in_place=True),
    Case("bottom of every item", layer("axis: 0"), [(2, 3, 4, 5), (2, 3, 4, 5)], scale(0), in_place=True),
    Case("scalar bottom", "type: 'Scale'", [(2, 3, 4, 5), ()], scale(), in_place=True),
]

test_layer = case_test(CASES)


def test_first_values():
    case = Case("fresh", layer("bias_term: true"), [(2, 3)])
    run = Run(case, case.arrays)
    run.layer.fill()
    np.testing.assert_array_equal(run.layer.blobs[0].data, [1, 1, 1])
    np.testing.assert_array_equal(run.layer.blobs[1].data, [0, 0, 0])


@pytest.mark.parametrize(
    ("param", "message"),
    [
        ("axis: 3 num_axes: 2", "num_axes is 2 from axis 3 on of bottom 'x0' (2, 3, 4, 5); it is -1, or 0 to 1"),
        ("num_axes: -2", "num_axes is -2 from axis 1 on of bottom 'x0' (2, 3, 4, 5); it is -1, or 0 to 3"),
        ("min_value: 0", "min_value, a field of caffe-windows, is not in netcli yet"),
        ("axis: 4", "axis 4 is not in a bottom of 4 axes"),
        ("filler { type: 'bilinear' }", "the bilinear filler needs 4 axes and square kernels, the parameter is (3,)"),
    ],
)
def test_refusals(param, message):
    assert refusal(layer(param), [(2, 3, 4, 5)]) == message


def test_refuses_a_factor_of_another_size():
    assert refusal("type: 'Scale'", [(2, 3, 4, 5), (4,)]) == (
        "bottom 'x1' (4,) is not as large as the axes from 1 on of bottom 'x0' (2, 3, 4, 5)"
    )
    assert refusal("type: 'Scale'", [(2, 3), (3, 1)]) == (
        "bottom 'x1' (3, 1) is not as large as the axes from 1 on of bottom 'x0' (2, 3)"
    )
    run = Run(CASES[0], CASES[0].arrays)
    run.bottom[0].reshape((2, 4, 4, 5))
    with pytest.raises(Exception, match=r"the parameter \(3,\) is not as large as the axes from 1 on of bottom 'x0'"):
        run.layer.reshape(run.bottom, run.top)
