"""What LSTM and RNN share: a state that goes from step to step, and from pass to pass.

Caffe unrolls a net of one copy of each layer for a step (recurrent_layer.cpp).  Here the products with x, and all
that do not go through time, are made for all steps at once; a loop over the steps does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from netcli.arrays.layout import Shape, count_of
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer


class Recurrent(Layer):
    """T steps of N sequences side by side, with D items of output to each; for inheriting.

    At every step s = W x + b + W_static x_static + W_h (cont * h), h being of the step before, goes into M units.

    bottom  x         (T, N, ...)
            cont      (T, N): 0 where a sequence begins, so that the state before it counts as zeros, 1 where it goes
                      on; has no gradient
            x_static  (N, ...): the same at every step; optional
            state...  (1, N, D) each: the state before the first step, with expose_hidden; their gradient is zero
    top     y         (T, N, D)
            state...  (1, N, D) each: the state after the last step, with expose_hidden; of no influence on gradients
    blobs   W (M, x's items)  b (M,)  W_static (M, x_static's items), if that is a bottom  W_h (M, D)
    param   num_output     D
            weight_filler  of all weights; default constant 0
            bias_filler    of all biases; default constant 0
            expose_hidden  default false
            debug_info     changes nothing: there is no unrolled net of which to tell

    Without expose_hidden a pass starts from the state that the last one ended with, the first one from zeros; so
    does the first one of more sequences than ever before, while fewer go on from the first of the states.  Unlike
    in Caffe a solver state holds it, so that a resumed run goes on with it, and T may change at a reshape.  As in
    Caffe, no gradient goes from one pass to another, nor by exposed states.
    """

    no_gradient = (1,)
    own_diffs: ClassVar[tuple[str, ...]] = ("sums", "from_static", "state")
    states: ClassVar[int]  # arrays in the state, of which h is the first
    units: ClassVar[int]  # M / D

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.p
        self.exposed = self.states if p.expose_hidden else 0
        self._check_arity(len(bottom), len(top))
        self.static = len(bottom) == 3 + self.exposed
        if p.num_output < 1:
            raise ShapeError("num_output is missing, or 0", field="recurrent_param.num_output")
        self.items = [count_of(bottom[0].shape[2:])]
        if self.static:
            self.items.append(count_of(bottom[2].shape[1:]))
        width = self.units * p.num_output
        self.add_weight((width, self.items[0]))
        self.add_bias(width)
        if self.static:
            self.add_weight((width, self.items[1]))
        self.add_weight((width, p.num_output))
        self.hidden = len(self.blobs) - 1  # which blob W_h is

        self.sums = self.work_space()  # data: s of all steps, and behind each step what its units gave; diff: of s
        self.from_static = self.work_space()
        self.from_hidden = self.work_space()
        self.before = [self.work_space() for _ in range(self.states)]  # cont * state, for each step
        self.state = [self.work_space() for _ in range(self.states)]

    def _check_arity(self, bottoms: int, tops: int) -> None:
        """Raise where there are not as many as expose_hidden asks for."""
        given = f"expose_hidden {'true' if self.exposed else 'false'}"
        low = 2 + self.exposed
        if bottoms not in (low, low + 1):
            raise ShapeError(f"takes {low} or {low + 1} bottoms with {given}, got {bottoms}", field="bottom")
        if tops != 1 + self.exposed:
            plural = "s" if self.exposed else ""
            raise ShapeError(f"takes {1 + self.exposed} top{plural} with {given}, got {tops}", field="top")

    def add_weight(self, shape: Shape) -> None:
        self.add_blob(shape, self.p.weight_filler, "recurrent_param.weight_filler")

    def add_bias(self, size: int) -> None:
        self.add_blob((size,), self.p.bias_filler, "recurrent_param.bias_filler")

    def work_space(self) -> Blob:
        return Blob((), self.dtype, device=self.context.device)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        x, cont, *others = bottom_shapes
        if len(x) < 3 or x[0] < 1:
            raise ShapeError(f"takes x as (T, N, ...) with T 1 or more, got {self.named(0, x)}", field="bottom")
        if cont != x[:2]:
            raise ShapeError(
                f"takes one number for each step and sequence of bottom {self.named(0, x)}, got {self.named(1, cont)}",
                field="bottom",
            )
        self._check_items(0, x, 2)
        if self.static:
            static = others.pop(0)
            if len(static) < 2 or static[0] != x[1]:
                raise ShapeError(
                    f"takes x_static as (N, ...) with N {x[1]} as in bottom {self.named(0, x)}, "
                    f"got {self.named(2, static)}",
                    field="bottom",
                )
            self._check_items(2, static, 1)
        state = (1, x[1], self.p.num_output)
        for i, shape in enumerate(others, 2 + self.static):
            if shape != state:
                raise ShapeError(f"takes states of {state}, got {self.named(i, shape)}", field="bottom")
        return [(*x[:2], self.p.num_output), *[state] * self.exposed]

    def _check_items(self, index: int, shape: Shape, axis: int) -> None:
        """Raise where a bottom does not have the items, from `axis` on, that its weights were made for."""
        made, given = self.items[index > 0], count_of(shape[axis:])
        if made != given:
            raise ShapeError(
                f"weights made for {made} items do not fit the {given} from axis {axis} on of bottom "
                f"{self.named(index, shape)}",
                field="bottom",
            )

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        x, (steps, n, d) = bottom[0].shape, top[0].shape
        width = self.units * d
        self.x_plan = self.ops.inner_product(x, 2, width, False, True, self.dtype)
        self.hidden_plan = self.ops.inner_product((steps, n, d), 2, width, False, False, self.dtype)
        self.sums.reshape((steps, n, width))
        self.from_hidden.reshape((n, width))
        if self.static:
            self.static_plan = self.ops.inner_product(bottom[2].shape, 1, width, False, False, self.dtype)
            self.from_static.reshape((n, width))
        # Steps of which forward keeps what backward needs; else the last one's is written over.
        self.kept = steps if self.context.gradients else 1
        for before, state in zip(self.before, self.state, strict=True):
            before.reshape((self.kept, n, d))
            state.reshape((1, n, d))

    def carried(self) -> Sequence[Blob]:
        return () if self.exposed else self.state

    def multiply_adds(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        steps, n, _ = top[0].shape
        weights = [blob.count for blob in self.blobs if len(blob.shape) == 2]
        once = weights.pop(1) if self.static else 0
        return n * (steps * sum(weights) + once)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xp, sums, product = self.xp, self.sums.data, self.from_hidden.data
        self.x_plan.forward(bottom[0].data, self.blobs[0].data, self.blobs[1].data, sums)
        if self.static:
            self.static_plan.forward(bottom[2].data, self.blobs[2].data, None, self.from_static.data)
            sums += self.from_static.data
        states = [blob.data[0] for blob in (top[1:] if self.exposed else self.state)]
        if self.exposed:
            for state, blob in zip(states, bottom[-self.exposed :], strict=True):
                state[...] = blob.data[0]
        cont = bottom[1].data[:, :, None]
        w_hidden, multiply = self.blobs[self.hidden].data.T, self.context.device.gemm
        for t in range(len(sums)):
            before = [blob.data[t % self.kept] for blob in self.before]
            for state, conted in zip(states, before, strict=True):
                xp.multiply(state, cont[t], out=conted)
            multiply(before[0], w_hidden, product)
            sums[t] += product
            self.step(t, before, states, top)

    def step(self, t: int, before: list[Any], states: list[Any], top: Sequence[Blob]) -> None:
        """Make `sums.data[t]` what the units give, write the states after step t, and the top if it is of them.

        before, states: (N, D) each, the states before the step times cont, and after it
        """
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        dsums = self.sums.diff
        diffs, add = self.gradients()
        dh = self.output_backward(top, diffs, add)
        dstates = [blob.diff[0] for blob in self.state]
        for dstate in dstates:
            dstate.fill(0)
        cont = bottom[1].data[:, :, None]
        w_hidden, multiply = self.blobs[self.hidden].data, self.context.device.gemm
        for t in reversed(range(len(dsums))):
            dstates[0] += dh[t]
            self.step_backward(t, dstates)
            if t:
                multiply(dsums[t], w_hidden, dstates[0])
                for dstate in dstates:
                    dstate *= cont[t]
        self._backward_inputs(diffs, add, propagate_down, bottom)

    def _backward_inputs(
        self, diffs: list[Any], add: bool, propagate_down: Sequence[bool], bottom: Sequence[Blob]
    ) -> None:
        """From the gradient of all sums to the parameters in them and to the bottoms."""
        dsums = self.sums.diff
        if diffs[0] is not None or diffs[1] is not None:
            self.x_plan.backward_weights(bottom[0].data, dsums, diffs[0], diffs[1], add)
        if propagate_down[0]:
            self.x_plan.backward_data(dsums, self.blobs[0].data, bottom[0].diff)
        if diffs[self.hidden] is not None:
            self.hidden_plan.backward_weights(self.before[0].data, dsums, diffs[self.hidden], None, add)
        if self.static and (diffs[2] is not None or propagate_down[2]):
            dstatic = dsums.sum(axis=0, out=self.from_static.diff)
            if diffs[2] is not None:
                self.static_plan.backward_weights(bottom[2].data, dstatic, diffs[2], None, add)
            if propagate_down[2]:
                self.static_plan.backward_data(dstatic, self.blobs[2].data, bottom[2].diff)
        for blob, wanted in zip(bottom[2 + self.static :], propagate_down[2 + self.static :], strict=True):
            if wanted:
                blob.diff.fill(0)

    def output_backward(self, top: Sequence[Blob], diffs: list[Any], add: bool) -> Any:
        """The gradient that each step's h gets from y, (T, N, D); puts those of parameters between into diffs."""
        raise NotImplementedError(f"{type(self).__name__} has no output_backward")

    def step_backward(self, t: int, dstates: list[Any]) -> None:
        """From the gradient of the states after step t, (N, D) each, to that of the step's sums, `sums.diff[t]`.

        A state but h becomes the gradient of what it was before the step, times cont; h gets its own by W_h.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step_backward")
