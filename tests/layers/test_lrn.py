from arrays import references
from checks import Case, case_test, refusal


def lrn(region, size, alpha, beta, k):
    return lambda x: [references.lrn(x, region, size, alpha, beta, k)]


def layer(param):
    return f"type: 'LRN' lrn_param {{ {param} }}"


CASES = [
    Case("default", "type: 'LRN'", [(2, 7, 3, 2)], lrn("across", 5, 1, 0.75, 1)),
    Case(
        "k",
        layer("local_size: 3 alpha: 0.5 beta: 0.5 k: 2 engine: CAFFE"),
        [(2, 4, 3, 2)],
        lrn("across", 3, 0.5, 0.5, 2),
    ),
    Case("one channel at a time", layer("local_size: 1"), [(2, 3, 3, 2)], lrn("across", 1, 1, 0.75, 1)),
    Case("more than there are", layer("local_size: 9"), [(2, 3, 2, 2)], lrn("across", 9, 1, 0.75, 1)),
    Case(
        "within",  # whatever k is
        layer("norm_region: WITHIN_CHANNEL local_size: 3 alpha: 2 k: 5"),
        [(2, 3, 4, 3)],
        lrn("within", 3, 2, 0.75, 1),
    ),
]

test_layer = case_test(CASES)


def test_refusals():
    assert refusal(layer("local_size: 4"), [(2, 3, 4, 5)]) == "local_size is 4; it has to be odd"
    assert refusal("type: 'LRN'", [(2, 3)]) == "takes a bottom of 4 axes (N, C, H, W), got 'x0' (2, 3)"
