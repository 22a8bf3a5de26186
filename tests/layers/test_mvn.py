import numpy as np

from checks import Case, Run, case_test, refusal


def mvn(across=False, variance=True, eps=1e-9):
    def reference(x):
        x = x.reshape(*x.shape, *(1,) * (4 - x.ndim))
        y = np.empty_like(x)
        for place in np.ndindex(x.shape[: 1 if across else 2]):
            y[place] = x[place] - x[place].mean()
            if variance:
                y[place] /= np.sqrt((y[place] ** 2).mean()) + eps
        return [y]

    return reference


CASES = [
    Case("default", "type: 'MVN'", [(2, 3, 4, 5)], mvn()),
    Case("across", "type: 'MVN' mvn_param { across_channels: true }", [(2, 3, 4, 5)], mvn(across=True)),
    Case("mean", "type: 'MVN' mvn_param { normalize_variance: false }", [(2, 3, 4, 5)], mvn(variance=False)),
    Case("rows", "type: 'MVN' mvn_param { across_channels: true }", [(4, 6)], mvn(across=True)),
    Case("three axes", "type: 'MVN'", [(2, 3, 6)], mvn()),
    # As in Caffe the gradient leaves out what eps does to it, so it holds for a small eps alone.
    Case("eps", "type: 'MVN' mvn_param { eps: 0.5 }", [(2, 3, 4, 5)], mvn(eps=0.5), gradient=()),
]

test_layer = case_test(CASES)


def test_digits_of_a_large_image():
    x = np.random.default_rng(3).normal(10, 1, (1, 2, 400, 300))
    x = x.astype(np.float32).astype(np.float64)
    run = Run(CASES[0], [x], np.float32)
    np.testing.assert_allclose(run.forward()[0], mvn()(x)[0], atol=3e-5)


def test_refusals():
    assert refusal("type: 'MVN' bottom: 'x'", [(1, 2, 3, 4, 5)]) == (
        "takes a bottom of 1 to 4 axes, got 'x' (1, 2, 3, 4, 5)"
    )
