"""One step of long short-term memory.  Same results as Caffe's lstm_unit_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers import lstm_cell
from netcli.layers.base import Layer, layer


@layer("LSTMUnit")
class LSTMUnit(Layer):
    """c and h as lstm_cell says, from a cell and the sums that go into its gates.

    bottom  c_before  (1, N, D): the cell of the step before
            s         (1, N, 4 D): of the gates i, f, o, g in this order
            cont      (1, N): 0 where a sequence begins, so that c_before counts as zeros, 1 where it goes on; has no
                      gradient
    top     c, h      (1, N, D)

    For cont between 0 and 1 Caffe's gradient of the gate f is no slope on the CPU; here it is, as Caffe's on a GPU.
    """

    bottoms = 3
    tops = 2
    no_gradient = (2,)
    own_diffs = ("gates", "before")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        # gates: data, and in backward the gradient of s and room for slopes
        self.gates, self.slopes, self.before, self.tanh_c = (
            Blob((), self.dtype, device=self.context.device) for _ in range(4)
        )

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        c, s, cont = bottom_shapes
        if len(c) != 3 or c[0] != 1:
            raise ShapeError(f"takes a cell as (1, N, D), got {self.named(0, c)}", field="bottom")
        for index, (shape, wanted) in enumerate(((s, (*c[:2], 4 * c[2])), (cont, c[:2])), 1):
            if shape != wanted:
                raise ShapeError(
                    f"takes {wanted} beside bottom {self.named(0, c)}, got {self.named(index, shape)}", field="bottom"
                )
        return [c, c]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        for blob in (self.gates, self.slopes):
            blob.reshape(bottom[1].shape)
        for blob in (self.before, self.tanh_c):
            blob.reshape(bottom[0].shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xp, gates, before = self.xp, self.gates.data, self.before.data
        c_before, s, cont = (blob.data for blob in bottom)
        gates[...] = s
        xp.multiply(c_before, cont[:, :, None], out=before)
        c, h = (blob.data[0] for blob in top)
        lstm_cell.forward(xp, gates[0], before[0], c, self.tanh_c.data[0], h)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not any(propagate_down):
            return
        xp, ds, dc = self.xp, self.gates.diff, self.before.diff
        gates, before, tanh_c = (blob.data[0] for blob in (self.gates, self.before, self.tanh_c))
        dc[...] = top[0].diff
        lstm_cell.backward(xp, gates, before, tanh_c, top[1].diff[0], dc[0], ds[0], self.slopes.data[0])
        if propagate_down[0]:
            xp.multiply(dc, bottom[2].data[:, :, None], out=bottom[0].diff)
        if propagate_down[1]:
            bottom[1].diff[...] = ds
