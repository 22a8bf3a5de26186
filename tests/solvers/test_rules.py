"""Every update rule against its formula, in float64 and without blocks."""

import math

import numpy as np
import pytest

from netcli.arrays.plain.update import BLOCK
from netcli.errors import NetcliError, SnapshotError
from netcli.solvers import make_solver, solver_types
from solvers.parameters import parameter, solver_document

BASE = "base_lr: 0.05 lr_policy: 'inv' gamma: 0.1 power: 0.5 "


def inv(t):
    return 0.05 * (1 + 0.1 * t) ** -0.5


def sgd(g, h, rate, t):
    return [0.9 * h[0] + rate * g], 0.9 * h[0] + rate * g


def nesterov(g, h, rate, t):
    new = 0.9 * h[0] + rate * g
    return [new], 1.9 * new - 0.9 * h[0]


def adagrad(g, h, rate, t):
    new = h[0] + g * g
    return [new], rate * g / (np.sqrt(new) + 1e-3)


def rmsprop(g, h, rate, t):
    new = 0.9 * h[0] + 0.1 * g * g
    return [new], rate * g / (np.sqrt(new) + 1e-3)


def adadelta(g, h, rate, t):
    a = 0.9 * h[0] + 0.1 * g * g
    d = g * np.sqrt((h[1] + 1e-3) / (a + 1e-3))
    return [a, 0.9 * h[1] + 0.1 * d * d], rate * d


def adam(g, h, rate, t):
    m, v = 0.9 * h[0] + 0.1 * g, 0.95 * h[1] + 0.05 * g * g
    r = rate * math.sqrt(1 - 0.95 ** (t + 1)) / (1 - 0.9 ** (t + 1))
    return [m, v], r * m / (np.sqrt(v) + 1e-3)


RULES = {
    "SGD": (sgd, "momentum: 0.9"),
    "Nesterov": (nesterov, "momentum: 0.9"),
    "AdaGrad": (adagrad, "delta: 1e-3"),
    "RMSProp": (rmsprop, "rms_decay: 0.9 delta: 1e-3"),
    "AdaDelta": (adadelta, "momentum: 0.9 delta: 1e-3"),
    "Adam": (adam, "momentum: 0.9 momentum2: 0.95 delta: 1e-3"),
}
EXTRAS = {
    "plain": ("", lambda g, w: g),
    "L2": ("weight_decay: 0.1", lambda g, w: g + 0.1 * w),
    "L1": ("weight_decay: 0.1 regularization_type: 'L1'", lambda g, w: g + 0.1 * np.sign(w)),
}
SHAPES = [(3, BLOCK), (2, 3, 4, 5), (BLOCK + 1,), (1,)]


def test_every_rule_is_here():
    assert set(RULES) == set(solver_types())


@pytest.mark.parametrize("extra", EXTRAS)
@pytest.mark.parametrize("rule", RULES)
def test_rule(rule, extra):
    reference, fields = RULES[rule]
    decay_text, decayed = EXTRAS[extra]
    rng = np.random.default_rng(3)
    weights = [rng.standard_normal(s) for s in SHAPES]
    mults = [(1, 1), (2, 0), (0.5, 3), (1, 1)]
    parameters = [parameter(w.astype("f"), *m) for w, m in zip(weights, mults, strict=True)]
    solver = make_solver(solver_document(f"type: '{rule}' {BASE} {fields} {decay_text} iter_size: 2"), parameters)
    histories = [[np.zeros(s) for _ in range(solver.moments)] for s in SHAPES]
    for t in range(4):
        for i, p in enumerate(parameters):
            g = rng.standard_normal(SHAPES[i])
            p.blob.diff[...] = 2 * g
            lr_mult, decay_mult = mults[i]
            g = g + decay_mult * (decayed(g, weights[i]) - g)
            histories[i], step = reference(g, histories[i], inv(t) * lr_mult, t)
            weights[i] = weights[i] - step
        before = [p.blob.diff.copy() for p in parameters]
        solver.update(t)
        for p, diff in zip(parameters, before, strict=True):
            np.testing.assert_array_equal(p.blob.diff, diff, err_msg="the update changed a gradient")
    for i, p in enumerate(parameters):
        np.testing.assert_allclose(p.blob.data, weights[i], rtol=2e-5, atol=2e-5)
        for mine, theirs in zip(solver.histories_of(i), histories[i], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=2e-5, atol=2e-6)
    # Caffe's order: all first moments, then all second ones.
    first = [h.shape for h in solver.history[: len(SHAPES)]]
    assert first == SHAPES
    assert len(solver.history) == solver.moments * len(SHAPES)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_goes_on_from_its_history(rule):
    rng = np.random.default_rng(1)
    gradients = [rng.standard_normal((4, 5)).astype("f") for _ in range(4)]

    def run(solver, p, some, first):
        for t, g in enumerate(some, first):
            p.blob.diff[...] = g
            solver.update(t)

    document = solver_document(f"type: '{rule}' {BASE} {RULES[rule][1]} weight_decay: 0.01")
    whole, half = parameter(np.ones((4, 5), "f")), parameter(np.ones((4, 5), "f"))
    run(make_solver(document, [whole]), whole, gradients, 0)
    before = make_solver(document, [half])
    run(before, half, gradients[:2], 0)
    after = make_solver(document, [half])
    after.history = [h.copy() for h in before.history]
    run(after, half, gradients[2:], 2)
    np.testing.assert_array_equal(half.blob.data, whole.blob.data)


@pytest.mark.parametrize("rule", RULES)
def test_frozen_parameters_stay_and_keep_the_history_caffe_gives_them(rule):
    reference, fields = RULES[rule]
    p = parameter(np.full((2, 3), 0.5, "f"), lr_mult=0)
    solver = make_solver(solver_document(f"type: '{rule}' {BASE} {fields} weight_decay: 0.1"), [p])
    history = [np.zeros((2, 3)) for _ in range(solver.moments)]
    for t in range(2):
        p.blob.clear_diff()
        solver.update(t)
        history, _ = reference(np.full((2, 3), 0.05), history, 0.0, t)
    np.testing.assert_array_equal(p.blob.data, np.full((2, 3), 0.5, "f"))
    for mine, theirs in zip(solver.history, history, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_frozen_parameters_cost_nothing():
    p = parameter(np.full((2, 3), 0.5, "f"), lr_mult=0)
    solver = make_solver(solver_document(f"type: 'SGD' {BASE} momentum: 0.9 weight_decay: 0.1"), [p])
    p.blob.diff[...] = np.nan  # nobody reads it
    solver.update(0)
    np.testing.assert_array_equal(p.blob.data, 0.5)


def test_gradients_are_clipped_together_before_iter_size_and_decay():
    ps = [parameter(np.zeros(2, "f")), parameter(np.ones(1, "f"))]
    solver = make_solver(
        solver_document("base_lr: 1 lr_policy: 'fixed' clip_gradients: 2.5 iter_size: 2 weight_decay: 0.5"), ps
    )
    ps[0].blob.diff[...] = [3, 0]
    ps[1].blob.diff[...] = [4]
    solver.update(0)
    assert solver.clipped == (5.0, 0.5)
    np.testing.assert_allclose(ps[0].blob.data, [-0.75, 0])
    np.testing.assert_allclose(ps[1].blob.data, [1 - (1 + 0.5)])
    ps[0].blob.diff[...] = [0.3, 0]
    ps[1].blob.diff[...] = [0.4]
    solver.update(1)
    assert solver.clipped is None


def test_a_norm_too_large_for_float32_is_still_clipped():
    p = parameter(np.zeros(20000, "f"))
    solver = make_solver(solver_document("base_lr: 1 lr_policy: 'fixed' clip_gradients: 1"), [p])
    p.blob.diff[...] = 1e17
    solver.update(0)
    np.testing.assert_allclose(np.linalg.norm(p.blob.data.astype("d")), 1, rtol=1e-5)


def test_double_precision_is_kept():
    p = parameter(np.ones((3, 4)))
    solver = make_solver(solver_document(f"type: 'Adam' {BASE} momentum: 0.9"), [p])
    p.blob.diff[...] = 0.1
    solver.update(0)
    assert p.blob.data.dtype == solver.history[0].dtype == np.float64


def test_history_of_older_files_with_four_numbers_fits():
    p = parameter(np.zeros((3, 4), "f"))
    solver = make_solver(solver_document(f"{BASE} momentum: 0.9"), [p])
    solver.history = [np.arange(12, dtype="f").reshape(1, 1, 3, 4)]
    np.testing.assert_array_equal(solver.history[0], np.arange(12).reshape(3, 4))


def test_history_that_does_not_fit():
    solver = make_solver(solver_document(f"{BASE} momentum: 0.9"), [parameter(np.zeros((3, 4), "f"))])
    with pytest.raises(SnapshotError, match=r"history 0, of layer 'ip', holds \(4, 3\), the net wants \(3, 4\)"):
        solver.history = [np.zeros((4, 3))]
    with pytest.raises(SnapshotError, match="holds 2 histories, this net's SGD solver has 1"):
        solver.history = [np.zeros((3, 4))] * 2


WRONG = [
    ("type: 'AdaGrad' momentum: 0.9", "AdaGrad has no momentum, got 0.9"),
    ("type: 'RMSProp' momentum: 0.9", "RMSProp has no momentum, got 0.9"),
    ("type: 'RMSProp' rms_decay: 1", "rms_decay is at least 0 and below 1, got 1"),
    ("type: 'Adam' momentum: 1", "Adam needs a momentum of at least 0 and below 1, got 1"),
    ("type: 'ADAM'", "there is no solver type 'ADAM'; did you mean 'Adam'?"),
    ("type: 'Nestrov'", "there is no solver type 'Nestrov'; did you mean 'Nesterov'?"),
    ("type: 'AdamW'", f"solver type 'AdamW' is jolibrain's and not known here; there are {', '.join(sorted(RULES))}"),
    ("iter_size: 0", "iter_size is at least 1, got 0"),
    ("regularization_type: 'l2'", "there is no regularization_type \"l2\"; did you mean 'L2'?"),
    ("regularization_type: 'elastic'", 'there is no regularization_type "elastic"; there are L2 and L1'),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=range(len(WRONG)))
def test_wrong(text, message):
    with pytest.raises(NetcliError) as caught:
        make_solver(solver_document(BASE + text), [])
    assert str(caught.value) == f"s.prototxt:7: {message}"
