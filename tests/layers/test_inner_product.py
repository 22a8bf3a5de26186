import pytest

from checks import Case, Run, case_test, refusal


def product(axis=1, transpose=False):
    def reference(x, w, b=0.0):
        rows = x.reshape(*x.shape[:axis], -1)
        return [rows @ (w if transpose else w.T) + b]

    return reference


def layer(param):
    return f"type: 'InnerProduct' inner_product_param {{ {param} }}"


CASES = [
    Case("rows", layer("num_output: 4"), [(3, 5)], product()),
    Case("images", layer("num_output: 4"), [(3, 2, 3, 4)], product()),
    Case("no bias", layer("num_output: 4 bias_term: false"), [(3, 2, 3, 4)], product()),
    Case("transposed", layer("num_output: 4 transpose: true"), [(3, 2, 3, 4)], product(transpose=True)),
    Case("axis 2", layer("num_output: 4 axis: 2"), [(3, 2, 3, 4)], product(2)),
    Case("axis -1", layer("num_output: 2 axis: -1"), [(3, 2, 4)], product(2)),
    Case("to four axes", layer("num_output: 4 axis: 3"), [(2, 3, 2, 5)], product(3)),
    Case("axis 0", layer("num_output: 4 axis: 0"), [(3, 5)], lambda x, w, b: [w @ x.reshape(-1) + b], batch=False),
]

test_layer = case_test(CASES)


def test_refusals():
    assert refusal(layer(""), [(2, 3)]) == "num_output is missing, or 0"
    assert refusal(layer("num_output: 2 relu: true"), [(2, 3)]) == "relu, a field of Intel Caffe, is not in netcli yet"
    assert refusal(layer("num_output: 2 axis: 2"), [(2, 3)]) == "axis 2 is not in a bottom of 2 axes"
    assert refusal(layer("num_output: 2 weight_filler { type: 'bilinear' }"), [(2, 3)]) == (
        "the bilinear filler needs 4 axes and square kernels, the parameter is (2, 3)"
    )


def test_refuses_another_number_of_items_at_a_reshape():
    run = Run(CASES[1], CASES[1].arrays)
    run.bottom[0].reshape((3, 2, 3, 5))
    with pytest.raises(Exception, match=r"weights made for 24 items do not fit the 30 from axis 1 on of bottom 'x0'"):
        run.layer.reshape(run.bottom, run.top)
