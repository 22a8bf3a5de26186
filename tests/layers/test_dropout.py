import numpy as np
import pytest

from arrays import references
from checks import Case, Run, case_test, refusal


def dropped(ratio, seed=0):
    """In TRAIN, at the first pass, for a layer named L."""
    return lambda x: [x * references.dropout_mask(x.shape, ratio, seed, "dropout L", 0) / (1 - ratio)]


def layer(ratio):
    return f"type: 'Dropout' dropout_param {{ dropout_ratio: {ratio} }}"


IMAGES = Case("images", layer(0.25), [(2, 3, 4, 5)], dropped(0.25, 9), in_place=True, seed=9)
CASES = [
    Case("default", "type: 'Dropout'", [(3, 5)], dropped(0.5), in_place=True),
    IMAGES,
    Case("nothing", layer(0), [(3, 5)], dropped(0), in_place=True),
    Case(
        "scaled in testing",
        "type: 'Dropout' dropout_param { dropout_ratio: 0.25 scale_train: false }",
        [(3, 5)],
        lambda x: [dropped(0.25)(x)[0] * 0.75],
        in_place=True,
    ),
    Case(
        "test of scaled in testing",
        "type: 'Dropout' dropout_param { dropout_ratio: 0.25 scale_train: false }",
        [(3, 5)],
        lambda x: [x * 0.75],
        phase="TEST",
        in_place=True,
    ),
    Case("test", layer(0.25), [(2, 3, 4, 5)], lambda x: [x], phase="TEST", in_place=True),
]

test_layer = case_test(CASES)


def test_every_pass_and_every_seed_drops_others():
    run = Run(IMAGES, IMAGES.arrays)
    first = run.forward()[0]
    np.testing.assert_array_equal(first, run.forward()[0])
    run.layer.context.passes.value += 1
    assert (run.forward()[0] != first).any()
    other = Case("other seed", layer(0.25), [(2, 3, 4, 5)], seed=10)
    assert (Run(other, other.arrays).forward()[0] != first).any()


@pytest.mark.parametrize("ratio", [1, -0.5, 2])
def test_refusals(ratio):
    assert refusal(layer(ratio), [(2, 3)]) == f"dropout_ratio is {ratio:g}, not in 0 <= ratio < 1"
