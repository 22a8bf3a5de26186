import numpy as np

from arrays import references
from checks import Case, Run, case_test, refusal


def spp(height, method=np.max):
    """MAX: the window clipped to the image; AVE: its sum over its area clipped to the padded image."""

    def reference(x):
        levels = []
        for bins in 2 ** np.arange(height):
            kernel = [-(-size // bins) for size in x.shape[2:]]
            pad = [(k * bins - size + 1) // 2 for k, size in zip(kernel, x.shape[2:], strict=True)]
            y = np.zeros((*x.shape[:2], bins, bins))
            for place in np.ndindex(bins, bins):
                starts = [i * k - p for i, k, p in zip(place, kernel, pad, strict=True)]
                ends = [min(s + k, n + p) for s, k, n, p in zip(starts, kernel, x.shape[2:], pad, strict=True)]
                window = x[(..., *(slice(max(0, s), e) for s, e in zip(starts, ends, strict=True)))]
                if method is np.max:
                    y[(..., *place)] = window.max((2, 3))
                else:
                    y[(..., *place)] = window.sum((2, 3)) / np.prod(np.subtract(ends, starts))
            levels.append(y if height == 1 else y.reshape(len(x), -1))
        return [levels[0] if height == 1 else np.concatenate(levels, 1)]

    return reference


def stochastic(phase):
    def reference(x):
        levels = []
        for bins in (1, 2):
            kernel = [size // bins for size in x.shape[2:]]
            draws = (3, f"pool L {bins}x{bins}", 0) if phase == "TRAIN" else None
            levels.append(references.stochastic_pool(x, (bins, bins), kernel, kernel, draws)[0].reshape(len(x), -1))
        return [np.concatenate(levels, 1)]

    positive = np.random.default_rng(4).uniform(0.1, 1, (2, 3, 6, 4))
    text = "type: 'SPP' spp_param { pyramid_height: 2 pool: STOCHASTIC }"
    return Case(f"stochastic in {phase}", text, [positive], reference, phase=phase, seed=3)


CASES = [
    Case("one level", "type: 'SPP' spp_param { pyramid_height: 1 }", [(2, 3, 5, 4)], spp(1)),
    Case("three levels", "type: 'SPP' spp_param { pyramid_height: 3 pool: MAX }", [(2, 3, 9, 7)], spp(3)),
    Case("average", "type: 'SPP' spp_param { pyramid_height: 2 pool: AVE }", [(2, 3, 6, 7)], spp(2, np.mean)),
    Case("one average", "type: 'SPP' spp_param { pyramid_height: 1 pool: AVE }", [(2, 3, 5, 4)], spp(1, np.mean)),
    stochastic("TRAIN"),
    stochastic("TEST"),
]

test_layer = case_test(CASES)


def test_each_level_has_draws_of_its_own():
    """Draws are keyed by the name."""
    case = stochastic("TRAIN")
    purposes = {pooling.name for pooling, _ in Run(case, case.arrays).layer.levels}
    assert purposes == {"L 1x1", "L 2x2"}


def test_refusals():
    kind = "type: 'SPP' spp_param"
    assert refusal(kind + " { pyramid_height: 4 }", [(2, 3, 5, 9)]) == (
        "pyramid_height 4 makes 4 x 4 bins, too many for bottom 'x0' (2, 3, 5, 9)"
    )
    assert refusal(kind + " { }", [(2, 3, 5, 9)]) == "needs pyramid_height, 1 or more"
    assert refusal(kind + " { pyramid_height: 2 }", [(2, 3, 5)]) == (
        "takes a bottom of 4 axes (N, C, H, W), got 'x0' (2, 3, 5)"
    )
    assert refusal(kind + " { pyramid_height: 2 pool: STOCHASTIC }", [(2, 3, 5, 9)]) == (
        "pool: STOCHASTIC takes no padding, which 2 x 2 bins of bottom 'x0' (2, 3, 5, 9) need"
    )
