import numpy as np

from checks import Case, case_test, refusal


def crop(axis, offsets):
    def reference(x, like):
        for i, offset in enumerate(offsets, axis):
            x = np.take(x, range(offset, offset + like.shape[i]), i)
        return [x]

    return reference


def case(inside, shapes, reference):
    return Case(inside or "default", f"type: 'Crop' crop_param {{ {inside} }}", shapes, reference, gradient=(0,))


CASES = [
    case("", [(2, 3, 7, 6), (2, 9, 4, 5)], crop(2, [0, 0])),
    case("offset: 1", [(2, 3, 7, 6), (2, 3, 4, 5)], crop(2, [1, 1])),
    case("offset: 2 offset: 0", [(2, 3, 7, 6), (2, 3, 4, 5)], crop(2, [2, 0])),
    case("axis: 1 offset: 1 offset: 2 offset: 0", [(2, 3, 7, 6), (2, 2, 4, 5)], crop(1, [1, 2, 0])),
    case("axis: -1 offset: 3", [(2, 7), (2, 4)], crop(1, [3])),
]

test_layer = case_test(CASES)


def test_refusals():
    kind = "type: 'Crop' bottom: 'x' bottom: 'like'"
    assert refusal(kind + " crop_param { offset: 4 offset: 0 }", [(2, 3, 7, 6), (2, 3, 4, 5)]) == (
        "size 4 of 'like' (2, 3, 4, 5) at offset 4 reaches beyond axis 2 of bottom 'x' (2, 3, 7, 6)"
    )
    assert refusal(kind + " crop_param { offset: 1 offset: 0 offset: 1 }", [(2, 3, 7, 6), (2, 3, 4, 5)]) == (
        "offset is given 3 times for the 2 axes from axis 2 on; give one for each, one for all, or none"
    )
    assert refusal(kind, [(2, 3, 7, 6), (2, 3, 4)]) == (
        "bottoms 'x' (2, 3, 7, 6) and 'like' (2, 3, 4) differ in their number of axes"
    )
    assert refusal(kind, [(2, 3), (2, 3)]) == "axis 2 is not in a bottom of 2 axes"
