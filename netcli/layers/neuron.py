"""What elementwise layers share: the top has the bottom's shape and may be the bottom itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.layers.base import Context, Layer


class Neuron(Layer):
    """One item of the top for each item of the bottom; for inheriting.

    A layer whose backward needs its bottom says so by `reads_bottom`, calls `keep` before forward writes, and
    finds the bottom in `kept`: where the top is the bottom itself, a copy is made, as the bottom is gone by then.
    (Caffe keeps one in PReLU alone; its BNLL, Clip, Log and Power give wrong gradients in place.)
    """

    in_place = True

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__(param, context)
        self._copy = Blob((), self.dtype, device=context.device)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return bottom_shapes

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if self.reads_bottom and bottom[0] is top[0] and self.context.gradients:
            self._copy.reshape(bottom[0].shape)

    def keep(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Save what forward is about to write over."""
        if bottom[0] is top[0] and self.context.gradients:
            self._copy.data[...] = bottom[0].data

    def kept(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> Any:
        """The bottom's data as it was at forward."""
        return self._copy.data if bottom[0] is top[0] else bottom[0].data


class Activation(Neuron):
    """A neuron that is one of `Ops.activation`; for inheriting.

    kind: its name there.  alpha: its number there.
    """

    kind: ClassVar[str]
    alpha: float = 0.0

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.plan = self.ops.activation(self.kind, bottom[0].shape, self.alpha, self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.plan.forward(bottom[0].data, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            self.plan.backward(bottom[0].data, top[0].data, top[0].diff, bottom[0].diff)
