"""What every layer must pass, whatever it computes.

A test module of a layer holds CASES, a list of `Case`, and `test_layer = case_test(CASES)`.  Each case is
checked for: outputs equal to a plain float64 reference; bottoms left as they were; dtype kept; the same
numbers twice; gradients of bottoms and parameters against finite differences; in place as not in place;
another batch size after a reshape; bottoms not asked for left alone; parameters' gradients summed;
every engine the same.  tests/layers/test_broken_gradients.py breaks each gradient of each case and sees it noticed.

The gradient check compares one number: the slope of <dy, forward(x)> along a random direction v, by central
difference in float64, with <dx, v> from backward (the vector-Jacobian check of autograd and Chainer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from netcli.arrays.ops import Ops
from netcli.blob import Blob
from netcli.layers.base import TEST, TRAIN, Context, Layer, check_arity
from netcli.layers.registry import layer_class
from netcli.prototxt import schema

PHASES = {"TRAIN": TRAIN, "TEST": TEST}


@dataclass
class Case:
    """A layer, its bottoms, and what should come of them.

    name        says what is special in it
    prototxt    the inside of `layer { ... }`, at least its type
    inputs      arrays, or shapes to be filled with values at least 0.05 away from 0
    reference   (*inputs, *params), float64 -> list of tops; None where another case or Caffe's numbers cover it
    params      arrays to use for the layer's blobs; None: random ones
    gradient    bottoms that have a gradient; None: all of them; (): none (nor parameters)
    tops        how many
    """

    name: str
    prototxt: str
    inputs: Sequence[Any]
    reference: Callable[..., list[Any]] | None = None
    params: Sequence[Any] | None = None
    gradient: Sequence[int] | None = None
    tops: int = 1
    phase: str = "TRAIN"
    rtol: float = 1e-5
    in_place: bool = False  # check it in place too
    batch: bool = True  # axis 0 of every bottom counts images: check another number of them
    loss: bool = False  # tops are scalars of which only the first has a gradient: its weight
    seed: int = 0
    arrays: list[Any] = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(1701)
        self.arrays = []
        for item in self.inputs:
            if isinstance(item, tuple):
                item = rng.uniform(0.05, 1.0, item) * rng.choice([-1.0, 1.0], item)
            self.arrays.append(np.asarray(item, np.float64))

    @property
    def differentiable(self) -> Sequence[int]:
        return range(len(self.arrays)) if self.gradient is None else self.gradient


class Run:
    """One layer set up on given arrays, by the verbs a net uses."""

    def __init__(
        self,
        case: Case,
        arrays: Sequence[Any],
        dtype: Any = np.float64,
        *,
        engine: str = "plain",
        in_place: bool = False,
        params: Sequence[Any] | None = None,
    ) -> None:
        message = text_format.Parse(f"name: 'L' {case.prototxt}", schema.LayerParameter())
        if not message.bottom:
            message.bottom.extend(f"x{i}" for i in range(len(arrays)))
        if not message.top:
            message.top.extend(message.bottom[:1] if in_place else [f"y{i}" for i in range(case.tops)])
        cls = layer_class(message.type)
        check_arity(cls, len(arrays), case.tops)
        context = Context(phase=PHASES[case.phase], dtype=dtype, ops=Ops(engine), seed=case.seed)
        self.case = case
        self.layer: Layer = cls(message, context)
        self.bottom = [Blob(a.shape, dtype) for a in arrays]
        for blob, array in zip(self.bottom, arrays, strict=True):
            blob.data[...] = array
        self.top = self.bottom[:1] if in_place else [Blob((), dtype) for _ in range(case.tops)]
        self.layer.setup(self.bottom, self.top)
        self.layer.reshape(self.bottom, self.top)
        self.layer.fill()
        given = case.params if params is None else params
        for index, blob in enumerate(self.layer.blobs):
            if given is not None:
                blob.data[...] = given[index]
            else:
                blob.data[...] = np.random.default_rng(index).uniform(-1, 1, blob.shape)

    def forward(self) -> list[Any]:
        self.layer.forward(self.bottom, self.top)
        return [t.data.copy() for t in self.top]

    def backward(self, top_diffs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Diffs of the differentiable bottoms, and of the parameters."""
        for t, d in zip(self.top, top_diffs, strict=True):
            t.diff[...] = d
        self.layer.top_has_gradient = [True] * len(self.top)
        for blob in self.layer.blobs:
            blob.clear_diff()
        down = [i in self.case.differentiable for i in range(len(self.bottom))]
        self.layer.backward(self.top, down, self.bottom)
        learned = [] if self.layer.statistics else self.layer.blobs
        return [self.bottom[i].diff.copy() for i in self.case.differentiable], [b.diff.copy() for b in learned]


def top_diffs(case: Case, tops: Sequence[Any]) -> list[Any]:
    """A random direction for the tops; for a loss its weight alone."""
    rng = np.random.default_rng(7)
    if case.loss:
        return [np.full(t.shape, 0.7 if i == 0 else 0.0) for i, t in enumerate(tops)]
    return [rng.standard_normal(t.shape) for t in tops]


def slopes(
    case: Case, *, in_place: bool = False, step: float = 1e-5, spoil: Callable[[list[Any]], None] | None = None
) -> tuple[float, float]:
    """(numeric, analytic) slope along one random direction through bottoms and parameters together.

    spoil: changes the list of gradients before they are used, to see whether that would be noticed.
    """
    rng = np.random.default_rng(1702)
    run = Run(case, case.arrays, in_place=in_place)
    params = [b.data.copy() for b in run.layer.blobs]
    dy = top_diffs(case, run.forward())
    bottom_diffs, param_diffs = run.backward(dy)
    gradients = bottom_diffs + param_diffs
    if spoil is not None:
        spoil(gradients)
    directions = [rng.standard_normal(g.shape) for g in gradients]
    n = len(bottom_diffs)

    def objective(s: float) -> float:
        arrays = [a.copy() for a in case.arrays]
        for index, v in zip(case.differentiable, directions[:n], strict=True):
            arrays[index] += s * v
        moved = [p + s * v for p, v in zip(params, directions[n:], strict=False)] + params[len(param_diffs) :]
        tops = Run(case, arrays, in_place=in_place, params=moved).forward()
        return sum(float((t * d).sum()) for t, d in zip(tops, dy, strict=True))

    numeric = (objective(step) - objective(-step)) / (2 * step)
    analytic = sum(float((g * v).sum()) for g, v in zip(gradients, directions, strict=True))
    return numeric, analytic


def gradients_agree(numeric: float, analytic: float, tolerance: float = 1e-6) -> bool:
    return abs(numeric - analytic) <= tolerance * max(1.0, abs(numeric))


def check(case: Case) -> None:
    """Every property, one after the other."""
    single = [a.astype(np.float32) for a in case.arrays]
    engines = {}
    for engine in ("plain", "auto"):
        run = Run(case, single, np.float32, engine=engine)
        tops = run.forward()
        for blob, before in zip(run.bottom, single, strict=True):
            np.testing.assert_array_equal(blob.data, before, err_msg="forward changed its bottom")
        assert all(t.dtype == np.float32 for t in tops)
        again = Run(case, single, np.float32, engine=engine).forward()
        for a, b in zip(tops, again, strict=True):
            np.testing.assert_array_equal(a, b, err_msg="the same seed gave other numbers")
        if case.reference is not None:
            params = [b.data.astype(np.float64) for b in Run(case, single, np.float32).layer.blobs]
            for got, want in zip(tops, case.reference(*[a.astype(np.float64) for a in single], *params), strict=True):
                np.testing.assert_allclose(got, want, rtol=case.rtol, atol=case.rtol, err_msg=engine)
        diffs: tuple[list[Any], list[Any]] = ([], [])
        if case.differentiable:
            diffs = run.backward(top_diffs(case, tops))
        engines[engine] = [*tops, *diffs[0], *diffs[1]]
    for a, b in zip(engines["plain"], engines["auto"], strict=True):
        scale = max(1.0, float(np.abs(a).max(initial=0)))
        np.testing.assert_allclose(b, a, rtol=2e-4, atol=2e-5 * scale, err_msg="engines differ")
    if case.differentiable:
        numeric, analytic = slopes(case)
        assert gradients_agree(numeric, analytic), f"numeric {numeric}, backward {analytic}"
        check_selection(case)
        check_sum(case)
    if case.in_place:
        check_in_place(case)
    if case.batch:
        check_other_batch(case)


def _flat(diffs: tuple[list[Any], list[Any]]) -> list[Any]:
    return [*diffs[0], *diffs[1]]


def check_in_place(case: Case) -> None:
    apart, over = Run(case, case.arrays), Run(case, case.arrays, in_place=True)
    a, b = apart.forward(), over.forward()
    np.testing.assert_allclose(a[0], b[0], rtol=1e-12, err_msg="in place gives other outputs")
    if case.differentiable:
        dy = top_diffs(case, a)
        for x, y in zip(_flat(apart.backward(dy)), _flat(over.backward(dy)), strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12, err_msg="in place gives other gradients")


def check_selection(case: Case) -> None:
    """Bottoms whose propagate_down is false keep the diff they had."""
    run = Run(case, case.arrays)
    dy = top_diffs(case, run.forward())
    for t, d in zip(run.top, dy, strict=True):
        t.diff[...] = d
    for blob in run.bottom:
        blob.diff.fill(123.0)
    run.layer.top_has_gradient = [True] * len(run.top)
    run.layer.backward(run.top, [False] * len(run.bottom), run.bottom)
    for blob in run.bottom:
        assert (blob.diff == 123.0).all(), "backward wrote a diff it was not asked for"


def check_sum(case: Case) -> None:
    """Two backward passes without clearing give twice the parameters' gradients."""
    run = Run(case, case.arrays)
    if run.layer.statistics or not run.layer.blobs:
        return
    dy = top_diffs(case, run.forward())
    _, once = run.backward(dy)
    for t, d in zip(run.top, dy, strict=True):  # a backward may use its top's diff as scratch
        t.diff[...] = d
    run.layer.backward(run.top, [False] * len(run.bottom), run.bottom)
    for blob, g in zip(run.layer.blobs, once, strict=True):
        np.testing.assert_allclose(blob.diff, 2 * g, rtol=1e-9, atol=1e-12)


def check_other_batch(case: Case) -> None:
    """After a reshape to one image more the layer computes what a fresh one does."""
    if any(a.ndim == 0 for a in case.arrays):
        return
    larger = [np.concatenate([a, a[:1]]) for a in case.arrays]
    try:
        fresh = Run(case, larger)
    except Exception:  # this case fixes its batch size
        return
    run = Run(case, case.arrays, params=[b.data.copy() for b in fresh.layer.blobs])
    run.forward()
    for blob, array in zip(run.bottom, larger, strict=True):
        blob.reshape(array.shape)
        blob.data[...] = array
    run.layer.reshape(run.bottom, run.top)
    for a, b in zip(run.forward(), fresh.forward(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, err_msg="after a reshape the outputs differ")


def case_test(cases: Sequence[Case]) -> Any:
    """The test function over a module's cases."""

    @pytest.mark.parametrize("case", cases, ids=[c.name.replace(" ", "_") for c in cases])
    def test(case: Case) -> None:
        check(case)

    return test


def refusal(prototxt: str, shapes: Sequence[tuple[int, ...]], tops: int = 1) -> str:
    """The message a layer gives to parameters or bottoms it does not take."""
    from netcli.errors import NetcliError

    with pytest.raises(NetcliError) as caught:
        Run(Case("refused", prototxt, list(shapes), tops=tops), [np.zeros(s) for s in shapes])
    return str(caught.value)
