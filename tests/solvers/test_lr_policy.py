import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcli.errors import NetcliError
from netcli.solvers import lr_policy, make_solver
from solvers.parameters import solver_document


def schedule(text):
    param = solver_document(text).message
    lr_policy.check(param)
    return lr_policy.Schedule(param)


RATES = [
    ("lr_policy: 'fixed'", {0: 0.1, 5000: 0.1}),
    ("lr_policy: 'step' gamma: 0.5 stepsize: 10", {0: 0.1, 9: 0.1, 10: 0.05, 39: 0.0125}),
    ("lr_policy: 'exp' gamma: 0.9", {0: 0.1, 1: 0.09, 10: 0.1 * 0.9**10}),
    ("lr_policy: 'inv' gamma: 0.01 power: 0.75", {0: 0.1, 100: 0.1 * 2**-0.75}),
    ("lr_policy: 'multistep' gamma: 0.1 stepvalue: 5 stepvalue: 8", {4: 0.1, 5: 0.01, 7: 0.01, 8: 0.001, 99: 0.001}),
    ("lr_policy: 'poly' power: 2 max_iter: 10", {0: 0.1, 5: 0.025, 10: 0.0}),
    (
        "lr_policy: 'sigmoid' gamma: 0.2 stepsize: 20",
        {0: 0.1 / (1 + math.exp(4)), 20: 0.05, 40: 0.1 / (1 + math.exp(-4))},
    ),
]


@pytest.mark.parametrize(("text", "rates"), RATES, ids=[r[0].split(chr(39))[1] for r in RATES])
def test_rates(text, rates):
    s = schedule("base_lr: 0.1 " + text)
    for iteration, rate in rates.items():
        assert s.rate(iteration) == pytest.approx(rate, rel=1e-6)
        assert s.rate(iteration) == np.float32(s.rate(iteration))


# Given nothing more, gamma and power are 0, and there is no stepvalue.
BARE = [
    ("lr_policy: 'step' stepsize: 5", {0: 0.1, 4: 0.1, 5: 0.0}),
    ("lr_policy: 'exp'", {0: 0.1, 1: 0.0}),
    ("lr_policy: 'inv' gamma: 0.5", {0: 0.1, 9: 0.1}),
    ("lr_policy: 'inv' power: 2", {0: 0.1, 9: 0.1}),
    ("lr_policy: 'multistep' gamma: 0.1", {0: 0.1, 9: 0.1}),
    ("lr_policy: 'poly' max_iter: 10", {0: 0.1, 9: 0.1}),
    ("lr_policy: 'sigmoid' stepsize: 5", {0: 0.05, 9: 0.05}),
]


@pytest.mark.parametrize(("text", "rates"), BARE, ids=[each[0] for each in BARE])
def test_rates_of_a_bare_policy_are_caffes(text, rates):
    s = schedule("base_lr: 0.1 " + text)
    assert {iteration: s.rate(iteration) for iteration in rates} == pytest.approx(rates)


def test_multistep_takes_equal_or_falling_steps_one_iteration_after_another():
    s = schedule("base_lr: 1 lr_policy: 'multistep' gamma: 0.5 stepvalue: 3 stepvalue: 3 stepvalue: 1")
    assert [s.rate(i) for i in range(7)] == [1, 1, 1, 0.5, 0.25, 0.125, 0.125]
    assert [s.current_step(i) for i in (-1, 0, 3, 9)] == [0, 0, 1, 3]


def multistep_as_caffe_counts(steps, iterations):
    """Its loop: at most one step more at each iteration."""
    step, counts = 0, []
    for i in range(iterations):
        if step < len(steps) and i >= steps[step]:
            step += 1
        counts.append(step)
    return counts


@given(st.lists(st.integers(0, 30), min_size=1, max_size=6))
def test_multistep_counts_as_caffe_does(steps):
    s = schedule("base_lr: 1 lr_policy: 'multistep' gamma: 0.5" + "".join(f" stepvalue: {v}" for v in steps))
    assert [s.current_step(i) for i in range(40)] == multistep_as_caffe_counts(steps, 40)


def test_rates_too_large_or_too_small_for_a_float_do_not_raise():
    assert schedule("base_lr: 1 lr_policy: 'exp' gamma: 2").rate(5000) == math.inf
    assert schedule("base_lr: 1 lr_policy: 'sigmoid' gamma: 100 stepsize: 1000").rate(0) == 0


KNOWN = "fixed, step, exp, inv, multistep, poly, sigmoid"
WRONG = [
    ("base_lr: 0.1 lr_policy: 'step' gamma: 0.1", 's.prototxt:7: lr_policy "step" needs stepsize'),
    ("base_lr: 0.1 lr_policy: 'poly' power: 2", 's.prototxt:7: lr_policy "poly" needs max_iter'),
    (
        "base_lr: 0.1 lr_policy: 'sigmoid' gamma: 1 stepsize: 0",
        's.prototxt:7: lr_policy "sigmoid" needs a stepsize above 0, got 0',
    ),
    (
        "base_lr: 0.1 lr_policy: 'exp' gamma: -1",
        's.prototxt:7: lr_policy "exp" needs a gamma of at least 0, got -1',
    ),
    ("base_lr: 0.1 lr_policy: 'setp'", "s.prototxt:7: there is no lr_policy \"setp\"; did you mean 'step'?"),
    (
        "base_lr: 0.1 lr_policy: 'cosine'",
        f's.prototxt:7: there is no lr_policy "cosine"; there are {KNOWN}',
    ),
    (
        "base_lr: 0.1 lr_policy: 'plateau'",
        f's.prototxt:7: lr_policy "plateau" is SSD\'s and not known here; there are {KNOWN}',
    ),
    (
        "base_lr: 0.1",
        "s.prototxt:1: the solver needs lr_policy, one of fixed, step, exp, inv, multistep, poly, sigmoid",
    ),
    ("lr_policy: 'fixed'", "s.prototxt:1: the solver needs base_lr, the learning rate to begin with"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=range(len(WRONG)))
def test_wrong(text, message):
    with pytest.raises(NetcliError) as caught:
        make_solver(solver_document(text), [])
    assert str(caught.value) == message
