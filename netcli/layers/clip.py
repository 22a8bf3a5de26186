"""Values held between two bounds.  Same results as Caffe's clip_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.neuron import Neuron


@layer("Clip", param="clip_param")
class Clip(Neuron):
    """y = max(min, min(x, max)); the derivative is 1 on the bounds.

    bottom  x         any shape
    top     y         shape of x; may be x itself
    param   min, max  both needed
    """

    reads_bottom = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for name in ("min", "max"):
            if not self.p.HasField(name):
                raise ShapeError(f"needs clip_param {name}", field="clip_param")

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        y = top[0].data
        self.keep(bottom, top)
        self.xp.minimum(bottom[0].data, self.p.max, out=y)
        self.xp.maximum(y, self.p.min, out=y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = self.kept(bottom, top)
            self.xp.multiply(top[0].diff, (x >= self.p.min) & (x <= self.p.max), out=bottom[0].diff)
