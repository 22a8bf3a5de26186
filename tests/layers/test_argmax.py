import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from checks import Case, Run, case_test, refusal


def ranked(values, k):
    """(index, value) of the k highest, by value and then by index, highest first."""
    return sorted(((v, i) for i, v in enumerate(values)), reverse=True)[:k]


def along(axis, k, values=False):
    def reference(x):
        rows = np.moveaxis(x, axis, -1)
        out = np.empty((*rows.shape[:-1], k))
        for place in np.ndindex(rows.shape[:-1]):
            out[place] = [v if values else i for v, i in ranked(rows[place], k)]
        return [np.moveaxis(out, -1, axis)]

    return reference


def of_images(k, values=False):
    def reference(x):
        out = np.empty((len(x), 1 + values, k))
        for row, image in zip(out, x, strict=True):
            pairs = ranked(image.ravel(), k)
            row[0] = [i for _, i in pairs]
            row[1:] = [v for v, _ in pairs]
        return [out.reshape(*out.shape, *(1,) * (x.ndim - 3))]

    return reference


def case(inside, shape, reference):
    return Case(inside or "default", f"type: 'ArgMax' argmax_param {{ {inside} }}", [shape], reference, gradient=())


CASES = [
    case("", (4, 5), of_images(1)),
    case("", (2, 3, 4, 5), of_images(1)),
    case("top_k: 3", (4, 5), of_images(3)),
    case("top_k: 3 out_max_val: true", (2, 3, 4, 5), of_images(3, values=True)),
    case("axis: 1", (2, 3, 4, 5), along(1, 1)),
    case("axis: 1 top_k: 2", (2, 3, 4, 5), along(1, 2)),
    case("axis: -1 top_k: 4 out_max_val: true", (3, 4), along(1, 4, values=True)),
    case("axis: 2 out_max_val: true", (2, 3, 4, 5), along(2, 1, values=True)),
]

test_layer = case_test(CASES)


@settings(max_examples=50, deadline=None)
@given(hnp.arrays(np.float64, (2, 6), elements=st.integers(0, 2)), st.integers(1, 6))
def test_of_equal_values_the_last_comes_first(x, k):
    got = Run(case(f"top_k: {k}", x, None), [x]).forward()[0]
    np.testing.assert_array_equal(got, of_images(k)(x)[0])


def test_refusals():
    kind = "type: 'ArgMax' bottom: 'x' argmax_param"
    assert refusal(kind + " { top_k: 6 }", [(4, 5)]) == "top_k is 6; bottom 'x' (4, 5) has 1..5 to choose"
    assert refusal(kind + " { top_k: 0 }", [(4, 5)]) == "top_k is 0; bottom 'x' (4, 5) has 1..5 to choose"
    assert refusal(kind + " { top_k: 5 axis: 0 }", [(4, 5)]) == "top_k is 5; bottom 'x' (4, 5) has 1..4 to choose"
    assert refusal(kind + " { axis: 2 }", [(4, 5)]) == "axis 2 is not in a bottom of 2 axes"
    assert refusal("type: 'ArgMax'", [()]) == "takes a bottom of 1 axis or more"
