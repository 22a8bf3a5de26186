"""A plain recurrent network.  Same results as Caffe's rnn_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.blob import Blob
from netcli.layers.base import layer
from netcli.layers.recurrent import Recurrent


@layer("RNN", param="recurrent_param")
class RNN(Recurrent):
    """h = tanh(s), y = tanh(W_o h + b_o) at each step.

    bottom, top, blobs, param  as Recurrent says; M is D, the state is h, and these blobs come last:
    blobs                      W_o (D, D)  b_o (D,)
    """

    bottoms = (2, 4)
    tops = (1, 2)
    states = 1
    units = 1
    own_diffs = (*Recurrent.own_diffs, "output")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        d = self.p.num_output
        self.add_weight((d, d))
        self.add_bias(d)
        self.output = self.work_space()  # diff: of W_o h + b_o

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        shape = top[0].shape
        self.output.reshape(shape)
        self.output_plan = self.ops.inner_product(shape, 2, self.p.num_output, False, True, self.dtype)
        self.tanh = self.ops.activation("tanh", shape, 0.0, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().forward(bottom, top)
        w, b, y = self.blobs[-2].data, self.blobs[-1].data, top[0].data
        self.output_plan.forward(self.sums.data, w, b, y)
        self.tanh.forward(y, y)

    def step(self, t: int, before: list[Any], states: list[Any], top: Sequence[Blob]) -> None:
        h = self.sums.data[t]
        self.xp.tanh(h, out=h)
        states[0][...] = h

    def output_backward(self, top: Sequence[Blob], diffs: list[Any], add: bool) -> Any:
        y, do, dh = top[0].data, self.output.diff, self.sums.diff
        dw, db = diffs[-2:]
        self.tanh.backward(y, y, top[0].diff, do)
        if dw is not None or db is not None:
            self.output_plan.backward_weights(self.sums.data, do, dw, db, add)
        self.output_plan.backward_data(do, self.blobs[-2].data, dh)
        return dh

    def step_backward(self, t: int, dstates: list[Any]) -> None:
        h, ds = self.sums.data[t], self.sums.diff[t]
        self.xp.multiply(h, h, out=ds)
        self.xp.subtract(1, ds, out=ds)
        ds *= dstates[0]
