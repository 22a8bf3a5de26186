"""Long short-term memory.  Same results as Caffe's lstm_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.blob import Blob
from netcli.layers import lstm_cell
from netcli.layers.base import layer
from netcli.layers.recurrent import Recurrent


@layer("LSTM", param="recurrent_param")
class LSTM(Recurrent):
    """y = h at each step, by gates and cells as lstm_cell says.

    bottom, top, blobs, param  as Recurrent says; M is 4 D, for the gates i, f, o, g in this order, and the states are
                               h and c, the cells
    """

    bottoms = (2, 5)
    tops = (1, 3)
    states = 2
    units = 4

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        self.tanh_c = self.work_space()

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.tanh_c.reshape(self.before[0].shape)

    def step(self, t: int, before: list[Any], states: list[Any], top: Sequence[Blob]) -> None:
        h, c = states
        lstm_cell.forward(self.xp, self.sums.data[t], before[1], c, self.tanh_c.data[t % self.kept], h)
        top[0].data[t] = h

    def output_backward(self, top: Sequence[Blob], diffs: list[Any], add: bool) -> Any:
        return top[0].diff

    def step_backward(self, t: int, dstates: list[Any]) -> None:
        gates, before, tanh_c = (blob.data[t] for blob in (self.sums, self.before[1], self.tanh_c))
        dh, dc = dstates
        lstm_cell.backward(self.xp, gates, before, tanh_c, dh, dc, self.sums.diff[t], self.from_hidden.data)
