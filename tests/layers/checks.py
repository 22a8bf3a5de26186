"""What every layer must pass, whatever it computes.

A test module of a layer holds CASES, a list of `Case`, and `test_layer = case_test(CASES)`.  Each case is
checked for: outputs equal to a plain float64 reference; bottoms left as they were; dtype kept; the same
numbers twice, and whatever was in the memory before; the same where no backward follows; gradients of bottoms
and parameters against finite differences; in place as not in place; another batch size after a reshape; bottoms
and parameters not asked for left alone; parameters' gradients summed; every engine the same.
tests/layers/test_broken_gradients.py breaks each gradient of each case and sees it noticed.

The gradient check compares one number for each bottom and parameter x: the slope of <dy, forward(x)> along a random
direction v, by central difference in float64, with <dx, v> from backward (the vector-Jacobian check of autograd and
Chainer).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from google.protobuf import text_format

from arrays.emulated.ops import CardOps
from netcli.arrays.ops import Ops
from netcli.blob import Blob
from netcli.errors import NetcliError
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
    repeats: bool = True  # a second forward gives the same: no state is changed that it reads
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
        gradients: bool = True,
    ) -> None:
        message = text_format.Parse(f"name: 'L' {case.prototxt}", schema.LayerParameter())
        if not message.bottom:
            message.bottom.extend(f"x{i}" for i in range(len(arrays)))
        if not message.top:
            message.top.extend(message.bottom[:1] if in_place else [f"y{i}" for i in range(case.tops)])
        cls = layer_class(message.type)
        check_arity(cls, len(arrays), case.tops)
        ops = CardOps() if engine == "card" else Ops(engine)
        context = Context(PHASES[case.phase], dtype, case.seed, ops, allow_python=True, gradients=gradients)
        self.case = case
        self.layer: Layer = cls(message, context)
        self.bottom = [Blob(a.shape, dtype, device=ops.device) for a in arrays]
        for blob, array in zip(self.bottom, arrays, strict=True):
            blob.set_data(array)
        self.top = self.bottom[:1] if in_place else [Blob((), dtype, device=ops.device) for _ in range(case.tops)]
        self.layer.setup(self.bottom, self.top)
        self.pure_shapes()
        self.layer.reshape(self.bottom, self.top)
        self.layer.fill()
        given = case.params if params is None else params
        for index, blob in enumerate(self.layer.blobs):
            if given is not None:
                blob.set_data(given[index])
            else:
                blob.set_data(np.random.default_rng(index).uniform(-1, 1, blob.shape))

    def pure_shapes(self) -> None:
        """`top_shapes` depends on its argument and the parameters, and leaves nothing behind."""
        if type(self.layer).top_shapes is not Layer.top_shapes:
            before = dict(vars(self.layer))
            self.layer.top_shapes([blob.shape for blob in self.bottom])
            assert vars(self.layer) == before, "top_shapes changed its layer"

    def forward(self) -> list[Any]:
        self.layer.forward(self.bottom, self.top)
        return [t.host_data().copy() for t in self.top]

    def backward(
        self, top_diffs: Sequence[Any], wanted: Sequence[int] | None = None, *, clear: bool = True
    ) -> tuple[list[Any], list[Any]]:
        """Diffs of the differentiable bottoms, and of the parameters.

        wanted: the bottoms to be asked for; None: all that are differentiable.
        clear: parameters' diffs are cleared before.
        """
        wanted = self.case.differentiable if wanted is None else wanted
        for index in wanted:
            self.bottom[index].diff.fill(np.nan)  # to be overwritten
        for t, d in zip(self.top, top_diffs, strict=True):
            t.device.write(t.diff, np.asarray(d, t.dtype))
        self.layer.top_has_gradient = [True] * len(self.top)
        if clear:
            for blob in self.layer.blobs:
                blob.clear_diff()
        if self.layer.work.data_buffer.array is not None:
            self.layer.work.data_buffer.array.fill(np.nan)  # other layers have used it since
        self.layer.backward(self.top, [i in wanted for i in range(len(self.bottom))], self.bottom)
        return self.diffs()

    def diffs(self) -> tuple[list[Any], list[Any]]:
        """Those of the differentiable bottoms, and of the parameters."""
        learned = [] if self.layer.statistics else self.layer.blobs
        bottoms = [self.bottom[i].host_diff().copy() for i in self.case.differentiable]
        return bottoms, [b.host_diff().copy() for b in learned]

    def replayed(self, work: str) -> None:
        """Record a pass, "forward" or "backward", spoil what it writes, and replay it."""
        bottom, top, layer = self.bottom, self.top, self.layer
        wanted = [i in self.case.differentiable for i in range(len(bottom))]

        def run() -> None:
            if work == "forward":
                layer.forward(bottom, top)
            else:
                layer.backward(top, wanted, bottom)

        replay = layer.context.device.record(run)
        if work == "forward":
            self.soil()
        else:
            read = {id(blob.diff_buffer) for blob in top}
            for index in self.case.differentiable:
                if id(bottom[index].diff_buffer) not in read:
                    bottom[index].diff.fill(np.nan)
            for blob in layer.blobs:
                blob.diff.fill(0)
        replay()

    def soil(self) -> None:
        """Put what nobody should read into the tops that have memory of their own."""
        bottoms = {id(blob.data_buffer) for blob in self.bottom}
        for blob in self.top:
            if id(blob.data_buffer) not in bottoms:
                blob.data.fill(np.nan)


def top_diffs(case: Case, tops: Sequence[Any]) -> list[Any]:
    """A random direction for the tops, no item of it small; for a loss its weight alone."""
    if case.loss:
        return [np.full(t.shape, 0.7 if i == 0 else 0.0) for i, t in enumerate(tops)]
    rng = np.random.default_rng(7)
    return [rng.uniform(0.5, 1.5, t.shape) * rng.choice([-1.0, 1.0], t.shape) for t in tops]


@dataclass
class Slope:
    """The slope along a random direction through one bottom or parameter, found in two ways.

    numeric    by central difference
    gradient   of that bottom or parameter, by backward
    direction  what it is multiplied with
    """

    of: str
    numeric: float
    gradient: Any
    direction: Any

    @property
    def analytic(self) -> float:
        return float((self.gradient * self.direction).sum())


def slopes(case: Case, step: float = 1e-5) -> list[Slope]:
    """A slope for each bottom that has a gradient and for each parameter."""
    run = Run(case, case.arrays)
    params = [b.data.copy() for b in run.layer.blobs]
    dy = top_diffs(case, run.forward())
    bottom_diffs, param_diffs = run.backward(dy)

    def objective(arrays: list[Any], params: list[Any]) -> float:
        tops = Run(case, arrays, params=params).forward()
        return sum(float((t * d).sum()) for t, d in zip(tops, dy, strict=True))

    def moved(values: list[Any], index: int, by: Any) -> list[Any]:
        return [*values[:index], values[index] + by, *values[index + 1 :]]

    rng = np.random.default_rng(1702)
    found = []
    for index, gradient in zip(case.differentiable, bottom_diffs, strict=True):
        v = rng.standard_normal(gradient.shape)
        up, down = (objective(moved(case.arrays, index, s * v), params) for s in (step, -step))
        found.append(Slope(f"bottom {index}", (up - down) / (2 * step), gradient, v))
    for index, gradient in enumerate(param_diffs):
        v = rng.standard_normal(gradient.shape)
        up, down = (objective(case.arrays, moved(params, index, s * v)) for s in (step, -step))
        found.append(Slope(f"parameter {index}", (up - down) / (2 * step), gradient, v))
    return found


def gradients_agree(slope: Slope, tolerance: float = 1e-6) -> bool:
    return abs(slope.numeric - slope.analytic) <= tolerance * max(1.0, abs(slope.numeric))


def equal(got: Sequence[Any], want: Sequence[Any], what: str) -> None:
    for a, b in zip(got, want, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=what)


def close(got: Sequence[Any], want: Sequence[Any], what: str, rtol: float = 1e-9, atol: float = 1e-12) -> None:
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=atol, err_msg=what)


def check(case: Case) -> None:
    """Every property, one after the other."""
    plain = check_engine(case, "plain")
    agrees(check_engine(case, "auto"), plain)
    if case.differentiable:
        for slope in slopes(case):
            assert gradients_agree(slope), f"{slope.of}: numeric {slope.numeric}, backward {slope.analytic}"
        check_selection(case)
        check_learning(case)
        check_sum(case)
    if case.in_place:
        check_in_place(case, "plain", np.float64, 1e-9, 1e-12)
        check_in_place(case, "auto", np.float32, 1e-4, 1e-5)
    if case.batch:
        check_other_batch(case)
    agrees(check_engine(case, "card"), plain)
    if case.in_place:
        check_in_place(case, "card", np.float32, 1e-4, 1e-5)


def agrees(results: Sequence[Any], plain: Sequence[Any]) -> None:
    """One engine's tops and diffs are the plain one's, but for rounding."""
    for a, b in zip(plain, results, strict=True):
        scale = max(1.0, float(np.abs(a).max(initial=0)))
        close([b], [a], "engines differ", 2e-4, 2e-5 * scale)


def check_engine(case: Case, engine: str) -> list[Any]:
    """Tops and diffs in float32 by one engine, and what has to hold of them."""
    single = [a.astype(np.float32) for a in case.arrays]
    run = Run(case, single, np.float32, engine=engine)
    params = [b.host_data().astype(np.float64) for b in run.layer.blobs]
    tops = run.forward()
    equal([b.host_data() for b in run.bottom], single, "forward changed its bottom")
    assert all(t.dtype == np.float32 for t in tops)
    equal(Run(case, single, np.float32, engine=engine).forward(), tops, "the same seed gave other numbers")
    if case.arrays and case.repeats:
        run.soil()
        equal(run.forward(), tops, "forward does not overwrite its tops")
    alone = Run(case, single, np.float32, engine=engine, gradients=False).forward()
    equal(alone, tops, "without a backward to come forward gave other numbers")
    recorded = engine == "card" and case.arrays and case.repeats and run.layer.replays
    if recorded:
        run.replayed("forward")
        equal([t.host_data() for t in run.top], tops, "a replayed forward gave other numbers")
    if case.reference is not None:
        want = case.reference(*[a.astype(np.float64) for a in single], *params)
        close(tops, want, engine, case.rtol, case.rtol)
    if not case.differentiable:
        return tops
    diffs = _flat(run.backward(top_diffs(case, tops)))
    equal([b.host_data() for b in run.bottom], single, "backward changed its bottom")
    assert all(d.dtype == np.float32 for d in diffs)
    if recorded:
        run.replayed("backward")
        equal(_flat(run.diffs()), diffs, "a replayed backward gave other numbers")
    return [*tops, *diffs]


def _flat(diffs: tuple[list[Any], list[Any]]) -> list[Any]:
    return [*diffs[0], *diffs[1]]


def check_in_place(case: Case, engine: str, dtype: Any, rtol: float, atol: float) -> None:
    arrays = [a.astype(dtype) for a in case.arrays]
    apart = Run(case, arrays, dtype, engine=engine)
    over = Run(case, arrays, dtype, engine=engine, in_place=True)
    a, b = apart.forward(), over.forward()
    close(b, a, f"in place gives other outputs by {engine}", rtol, atol)
    equal([x.host_data() for x in over.bottom[1:]], arrays[1:], "forward in place changed another bottom")
    if case.differentiable:
        dy = top_diffs(case, a)
        want, got = _flat(apart.backward(dy)), _flat(over.backward(dy))
        close(got, want, f"in place gives other gradients by {engine}", rtol, atol)


def check_selection(case: Case) -> None:
    """Bottoms whose propagate_down is false keep the diff they had, and the others get the same as ever."""
    run = Run(case, case.arrays)
    dy = top_diffs(case, run.forward())
    want, _ = run.backward(dy)
    choices = [[i] for i in case.differentiable] if len(case.differentiable) > 1 else []
    for wanted in ([], *choices):
        run = Run(case, case.arrays)
        run.forward()
        for blob in run.bottom:
            blob.diff.fill(123.0)
        got, _ = run.backward(dy, wanted)
        shared = {id(blob.diff_buffer) for blob in run.top}
        for index, blob in enumerate(run.bottom):
            if index not in wanted and id(blob.diff_buffer) not in shared:
                assert (blob.diff == 123.0).all(), "backward wrote a diff it was not asked for"
        for index in wanted:
            at = list(case.differentiable).index(index)
            close([got[at]], [want[at]], "asked for alone, a bottom has another gradient")


def check_learning(case: Case) -> None:
    """A parameter that does not learn gets no gradient, and all else is as ever."""
    run = Run(case, case.arrays)
    if run.layer.statistics or not run.layer.blobs:
        return
    count = len(run.layer.blobs)
    dy = top_diffs(case, run.forward())
    bottom_diffs, diffs = run.backward(dy)
    for alone in range(count + 1):  # the last time none learns
        run = Run(case, case.arrays)
        run.layer.learning = [i == alone for i in range(count)]
        run.forward()
        got_bottoms, got = run.backward(dy)
        close(got_bottoms, bottom_diffs, "what learns changed the bottoms' gradients")
        want = [d if i == alone else 0 * d for i, d in enumerate(diffs)]
        close(got, want, "what learns changed a parameter's gradient")


def check_sum(case: Case) -> None:
    """Two backward passes without clearing give twice the parameters' gradients."""
    run = Run(case, case.arrays)
    if run.layer.statistics or not run.layer.blobs:
        return
    dy = top_diffs(case, run.forward())
    _, once = run.backward(dy)
    _, twice = run.backward(dy, clear=False)
    close(twice, [2 * g for g in once], "gradients do not sum")


def check_other_batch(case: Case) -> None:
    """After a reshape to one image more the layer computes what a fresh one does."""
    if any(a.ndim == 0 for a in case.arrays):
        return
    larger = [np.concatenate([a, a[:1]]) for a in case.arrays]
    fresh = Run(case, larger)
    run = Run(case, case.arrays, params=[b.data.copy() for b in fresh.layer.blobs])
    run.forward()
    for blob, array in zip(run.bottom, larger, strict=True):
        blob.reshape(array.shape)
        blob.data[...] = array
    run.layer.reshape(run.bottom, run.top)
    want = fresh.forward()
    close(run.forward(), want, "after a reshape the outputs differ", 1e-12, 0)
    if case.differentiable:
        dy = top_diffs(case, want)
        close(_flat(run.backward(dy)), _flat(fresh.backward(dy)), "after a reshape the gradients differ")


def case_test(cases: Sequence[Case]) -> Any:
    """The test function over a module's cases."""

    @pytest.mark.parametrize("case", cases, ids=[c.name.replace(" ", "_") for c in cases])
    def test(case: Case) -> None:
        check(case)

    return test


def refusal(prototxt: str, shapes: Sequence[tuple[int, ...]], tops: int = 1) -> str:
    """The message a layer gives to parameters or bottoms it does not take."""
    with pytest.raises(NetcliError) as caught:
        Run(Case("refused", prototxt, list(shapes), tops=tops), [np.zeros(s) for s in shapes])
    return str(caught.value)
