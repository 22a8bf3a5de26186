"""Every body of `update` gives the numbers of a plain loop over its formula."""

import numpy as np
import pytest

from arrays import references
from arrays.bodies.checks import CARD, Arrays, bodies, dtypes, is_of_card, plan
from netcli.arrays.device import CPU
from netcli.arrays.varying import Varying

RULES = {"SGD": 1, "Nesterov": 1, "AdaGrad": 1, "RMSProp": 1, "AdaDelta": 2, "Adam": 2}  # rule -> histories


@bodies("update")
@dtypes
@pytest.mark.parametrize("shape", [(7, 3), (70, 1000)])  # of few items, and of many: parts for blocks and threads
@pytest.mark.parametrize("rule", RULES)
def test_update(body, dtype, shape, rule):
    arrays = Arrays(dtype)
    constants = (0.9, 0.95, 1e-3)
    update = plan(body, rule, shape, *constants, arrays.dtype)
    for decay, l1, scale in [(0, False, 1), (0.1, False, 0.5), (0.1, True, 0.5)]:
        w, dw, *histories = arrays.rng.standard_normal((2 + RULES[rule], *shape)).astype(dtype)
        for history in histories:
            np.abs(history, out=history)
        w[:2] = 0  # of no sign
        given = dw.copy()
        want = references.update(rule, *np.float64([w, dw]), np.float64(histories), 0.01, decay, l1, scale, *constants)
        update.update(w, dw, histories, 0.01, decay, l1, scale)
        for got, wanted in zip([w, *histories], want, strict=True):
            arrays.close(got, wanted)
        np.testing.assert_array_equal(dw, given)


@bodies("update")
@pytest.mark.parametrize("rule", RULES)
def test_update_by_numbers_that_vary(body, rule):
    arrays = Arrays("f4")
    constants, histories = (0.9, 0.95, 1e-3), RULES[rule]
    update = plan(body, rule, (900,), *constants, arrays.dtype)
    rate, scale = (Varying(0, np.float64, CARD if is_of_card(body) else CPU) for _ in range(2))
    w, dw, *before = np.abs(arrays.rng.standard_normal((2 + histories, 900))).astype("f4")
    for rate.value, scale.value in ((0.1, 1.0), (0.01, 0.25), (0.02, 0.25)):
        want = references.update(
            rule, *np.float64([w, dw]), np.float64(before), rate.value, 0.1, False, scale.value, *constants
        )
        update.update(w, dw, before, rate, 0.1, False, scale)
        for got, wanted in zip([w, *before], want, strict=True):
            arrays.close(got, wanted)


@pytest.mark.parametrize("body", ["cuda.update:Update", "plain.update:Update"])
def test_update_without_decay_asks_nothing_of_the_weights(body):
    update = plan(body, "SGD", (2,), 0.9, 0.0, 0.0, np.float32)
    w, h = np.array([np.inf, 1], "f4"), np.zeros((1, 2), "f4")
    update.update(w, np.ones(2, "f4"), list(h), 0.5, 0.0, False, 1.0)
    np.testing.assert_array_equal(w, np.array([np.inf, 0.5], "f4"))


@bodies("update")
@pytest.mark.parametrize("rule", RULES)
def test_update_shows_what_is_not_a_number(body, rule):
    update = plan(body, rule, (3,), 0.9, 0.95, 1e-3, np.float32)
    w, histories = np.ones(3, "f4"), np.zeros((RULES[rule], 3), "f4")
    with np.errstate(invalid="ignore"):
        update.update(w, np.array([1, np.nan, np.inf], "f4"), list(histories), 0.1, 0.1, False, 1.0)
    assert np.isfinite(w[0])
    assert np.isnan(w[1])
    assert not np.isfinite(w[2])
