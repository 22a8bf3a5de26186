import numpy as np

from checks import Case, Run, case_test, refusal


def cross_entropy(ignore=None, mode="BATCH_SIZE"):
    def reference(x, t):
        loss, valid = 0.0, 0
        for score, target in zip(x.ravel(), t.ravel(), strict=True):
            if int(target) != ignore:
                p = 1 / (1 + np.exp(-score))
                loss -= target * np.log(p) + (1 - target) * np.log(1 - p)
                valid += 1
        return [loss / max(1, {"FULL": x.size, "VALID": valid, "BATCH_SIZE": len(x), "NONE": 1}[mode])]

    return reference


rng = np.random.default_rng(4)
TARGETS = rng.integers(0, 3, (4, 6))  # 2 is to be ignored


def case(name, inside, inputs, reference):
    return Case(name, f"type: 'SigmoidCrossEntropyLoss' {inside}", inputs, reference, gradient=(0,), loss=True)


CASES = [
    case("rows", "", [(4, 6), TARGETS], cross_entropy()),
    case("fractions", "", [(4, 6), rng.uniform(0, 1, (4, 6))], cross_entropy()),
    case("images", "", [(2, 3, 4, 5), rng.integers(0, 2, (2, 3, 4, 5))], cross_entropy()),
    case("targets of another shape", "", [(2, 3, 4, 5), rng.integers(0, 2, (2, 60))], cross_entropy()),
    case("normalize", "loss_param { normalize: true ignore_label: 2 }", [(4, 6), TARGETS], cross_entropy(2, "VALID")),
    case("normalize false", "loss_param { normalize: false }", [(4, 6), TARGETS], cross_entropy()),
    case("fraction cut off", "loss_param { ignore_label: 0 }", [(1, 3), [[0.5, 1, -0.5]]], cross_entropy(0)),
    case(
        "all ignored", "loss_param { ignore_label: 1 normalization: VALID }", [(2, 3), np.ones((2, 3))], lambda *_: [0]
    ),
    *(
        case(mode, f"loss_param {{ ignore_label: 2 normalization: {mode} }}", [(4, 6), TARGETS], cross_entropy(2, mode))
        for mode in ("FULL", "VALID", "BATCH_SIZE", "NONE")
    ),
]

test_layer = case_test(CASES)


def test_far_from_zero_it_is_finite():
    run = Run(CASES[0], [np.array([[-1000.0, 1000.0]]), np.array([[1.0, 0.0]])], np.float32)
    np.testing.assert_allclose(run.forward()[0], 2000)


def test_refusals():
    kind = "type: 'SigmoidCrossEntropyLoss' bottom: 'x' bottom: 't'"
    assert refusal(kind, [(4, 6), (4, 3)]) == "takes a target for each item; bottom 'x' (4, 6) has 24, 't' (4, 3) 12"
    assert refusal(kind, [(4, 6), (3, 8)]) == "bottoms 'x' (4, 6) and 't' (3, 8) differ along axis 0, the batch"
