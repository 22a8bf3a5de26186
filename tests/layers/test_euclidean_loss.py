from checks import Case, case_test, refusal


def euclidean(a, b):
    return [sum((p - q) ** 2 for p, q in zip(a.ravel(), b.ravel(), strict=True)) / (2 * len(a))]


CASES = [
    Case("rows", "type: 'EuclideanLoss'", [(4, 6), (4, 6)], euclidean, loss=True),
    Case("images", "type: 'EuclideanLoss'", [(2, 3, 4, 5), (2, 3, 4, 5)], euclidean, loss=True),
    Case("image and row", "type: 'EuclideanLoss'", [(2, 3, 4, 5), (2, 60)], euclidean, loss=True),
    Case("scalars", "type: 'EuclideanLoss'", [(4,), (4, 1, 1, 1)], euclidean, loss=True),
    Case("only the second learns", "type: 'EuclideanLoss'", [(4, 6), (4, 6)], gradient=(1,), loss=True),
]

test_layer = case_test(CASES)


def test_refusals():
    kind = "type: 'EuclideanLoss' bottom: 'pred' bottom: 'label'"
    assert refusal(kind, [(4, 6), (4, 3)]) == "bottoms 'pred' (4, 6) and 'label' (4, 3) differ in items per image"
    assert refusal(kind, [(4, 6), (3, 8)]) == (
        "bottoms 'pred' (4, 6) and 'label' (3, 8) differ along axis 0, the batch"
    )
