import numpy as np

from checks import Case, Run, case_test, refusal


def flatten(*shape):
    """Axis 0 is that of x, so that a case holds for any batch."""
    return lambda x: [x.reshape(len(x), *shape)]


CASES = [
    Case("images", "type: 'Flatten'", [(2, 5, 3, 4)], flatten(60)),
    Case("one pixel", "type: 'Flatten'", [(2, 5, 1, 1)], flatten(5)),
    Case("one channel", "type: 'Flatten'", [(2, 1, 3, 4)], flatten(12)),
    Case("between", "type: 'Flatten' flatten_param { axis: 1 end_axis: 2 }", [(2, 5, 3, 4)], flatten(15, 4)),
    Case("to four axes", "type: 'Flatten' flatten_param { axis: 1 end_axis: 2 }", [(2, 2, 3, 4, 2)], flatten(6, 4, 2)),
    Case("last", "type: 'Flatten' flatten_param { axis: -2 }", [(2, 5, 3, 4)], flatten(5, 12)),
    Case("all", "type: 'Flatten' flatten_param { axis: 0 }", [(2, 5, 3, 4)], lambda x: [x.reshape(-1)]),
    Case("new axis", "type: 'Flatten' flatten_param { axis: 2 end_axis: 1 }", [(2, 5, 3)], flatten(5, 1, 3)),
    Case("rows", "type: 'Flatten'", [(2, 5)], flatten(5)),
]

test_layer = case_test(CASES)


def test_memory_is_shared_where_both_shapes_read_it_alike():
    run = Run(CASES[1], CASES[1].arrays)
    run.forward()
    assert np.shares_memory(run.top[0].data, run.bottom[0].data)
    assert np.shares_memory(run.top[0].diff, run.bottom[0].diff)


def test_sharing_ends_with_a_reshape_to_images():
    run = Run(CASES[1], CASES[1].arrays)
    bottom = run.bottom[0]
    x = np.arange(2 * 5 * 2 * 3.0).reshape(2, 5, 2, 3)
    bottom.reshape(x.shape)
    bottom.data[...] = x
    run.layer.reshape(run.bottom, run.top)
    np.testing.assert_array_equal(run.forward()[0], x.reshape(2, 30))
    assert not np.shares_memory(run.top[0].data, bottom.data)
    np.testing.assert_array_equal(run.backward([x.reshape(2, 30)])[0][0], x)
    np.testing.assert_array_equal(bottom.data, x)


def test_refusals():
    assert refusal("type: 'Flatten' flatten_param { axis: 3 end_axis: 1 }", [(2, 3, 4, 5)]) == (
        "axis 3 lies behind end_axis 1 in a bottom of 4 axes"
    )
    assert refusal("type: 'Flatten' flatten_param { axis: 4 }", [(2, 3)]) == "axis 4 is not in a bottom of 2 axes"
    assert refusal("type: 'Flatten' flatten_param { end_axis: 2 }", [(2, 3)]) == "axis 2 is not in a bottom of 2 axes"
