import numpy as np

from checks import Case, Run, case_test, refusal


def contrastive(margin, legacy=False):
    def reference(a, b, similar):
        loss = 0.0
        for p, q, s in zip(a.reshape(len(a), -1), b.reshape(len(b), -1), similar.ravel(), strict=True):
            square = ((p - q) ** 2).sum()
            if int(s):
                loss += square
            elif legacy:
                loss += max(margin - square, 0)
            else:
                loss += max(margin - np.sqrt(square), 0) ** 2
        return [loss / (2 * len(a))]

    return reference


SIMILAR = np.array([1, 0, 1, 0, 0, 1])
rng = np.random.default_rng(8)


def case(name, inside, inputs, reference, **more):
    text = f"type: 'ContrastiveLoss' contrastive_loss_param {{ {inside} }}"
    return Case(name, text, inputs, reference, gradient=(0, 1), loss=True, **more)


CASES = [
    case("similar", "", [(6, 4), (6, 4), np.ones(6)], contrastive(1)),
    # So far apart that the 1e-4 in Caffe's gradient, which finite differences know nothing of, does not count.
    case("far", "margin: 40000", [rng.normal(0, 9e3, (6, 4)), rng.normal(0, 9e3, (6, 4)), SIMILAR], contrastive(40000)),
    case("legacy", "margin: 2 legacy_version: true", [(6, 4), (6, 4), SIMILAR], contrastive(2, legacy=True)),
    case(
        "four axes",
        "margin: 2 legacy_version: true",
        [(6, 4, 1, 1), (6, 4, 1, 1), SIMILAR.reshape(6, 1, 1, 1)],
        contrastive(2, legacy=True),
    ),
    case("beyond the margin", "margin: 0.01", [(6, 4), (6, 4), SIMILAR], contrastive(0.01)),
]

test_layer = case_test(CASES)


def test_gradient_of_dissimilar_pairs_divides_by_a_little_more_than_the_distance():
    run = Run(case("", "margin: 1", [(1, 2)] * 2 + [(1,)], None), [np.array([[0.5, 0]]), np.zeros((1, 2)), np.zeros(1)])
    np.testing.assert_allclose(run.forward()[0], 0.125)
    da, db = run.backward([1.0])[0]
    np.testing.assert_allclose(da, [[-0.5 * 0.5 / (0.5 + 1e-4), 0]])
    np.testing.assert_array_equal(db, -da)


def test_pairs_that_are_equal_have_finite_gradients():
    run = Run(CASES[0], [np.ones((1, 2)), np.ones((1, 2)), np.zeros(1)])
    np.testing.assert_allclose(run.forward()[0], 0.5)
    np.testing.assert_array_equal(run.backward([1.0])[0][0], 0)


def test_refusals():
    kind = "type: 'ContrastiveLoss' bottom: 'a' bottom: 'b' bottom: 's'"
    assert refusal(kind, [(6, 4), (6, 3), (6,)]) == (
        "takes two vectors for each pair; bottoms 'a' (6, 4) and 'b' (6, 3) are not (N, C)"
    )
    assert refusal(kind, [(6, 4, 2), (6, 4, 2), (6,)]) == (
        "takes two vectors for each pair; bottoms 'a' (6, 4, 2) and 'b' (6, 4, 2) are not (N, C)"
    )
    assert refusal(kind, [(6, 4), (6, 4), (6, 2)]) == (
        "takes one number for each pair of bottom 'a' (6, 4), got 's' (6, 2)"
    )
