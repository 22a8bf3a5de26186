"""Convolution.

LeCun et al., "Gradient-Based Learning Applied to Document Recognition", Proc. IEEE 86(11), 1998;
groups: Krizhevsky, Sutskever & Hinton, "ImageNet Classification with Deep Convolutional Neural Networks",
NIPS 2012; dilation: Yu & Koltun, "Multi-Scale Context Aggregation by Dilated Convolutions", ICLR 2016,
arXiv:1511.07122.  Same results as Caffe's conv_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.layers.base import Absorbed, Chance, Context, Layer, layer
from netcli.layers.before_relu import BeforeReLU
from netcli.layers.filters import Filters


@layer("Convolution", param="convolution_param")
class Convolution(BeforeReLU, Filters):
    """y at each place of the window is the product of a filter with what the window shows of x.

    bottom  x...  (*images, C, *in)
    top     y...  (*images, M, *out), out = (in + 2 pad - (dilation (kernel - 1) + 1)) // stride + 1
    blobs   W (M, C / group, *kernel)   b (M,) with bias_term
    param   as Filters says

    It absorbs the forward of a ReLU and, in a net that does not run backward, the layers that `fold` before it:
    BatchNorm by running averages, Scale.
    """

    reads_top = False

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__(param, context)
        self.folded: list[Layer] = []

    def weight_shape(self) -> tuple[int, int]:
        return self.p.num_output, self.channels // self.p.group

    def out_sizes(self, sizes: Shape, bottom: str) -> Shape:
        return self.window.places(sizes, bottom)

    def absorb(self, following: Layer, chance: Chance) -> Absorbed:
        absorbed = super().absorb(following, chance)
        if self._may_fold(following, chance):
            self.folded.append(following)
            absorbed = Absorbed.ALL
        if absorbed is not Absorbed.NOTHING:
            self.make_plan()  # reshape makes one for other shapes alone
        return absorbed

    def _may_fold(self, following: Layer, chance: Chance) -> bool:
        is_last = self.relu is None and self.channel_axis == 1
        return is_last and not chance.backward and len(following.param.bottom) == 1 and following.folds()

    def release(self) -> None:
        super().release()
        self.folded = []
        self.make_plan()

    def make_plan(self) -> None:
        self.plan = self.conv(self.x_shape, self.p.num_output, self.p.bias_term, self.slope, bool(self.folded))
        if self.folded:
            self._factor, self._summand = self.xp.empty((2, self.p.num_output), self.dtype)

    def multiply_adds(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return sum(blob.count for blob in top) // int(self.p.num_output) * self.blobs[0].count

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        w, b = self.weights(self.blobs[0].data), self.blobs[1].data if self.p.bias_term else None
        folded = self._folded() if self.folded else ()
        for x, y in zip(bottom, top, strict=True):
            result = self.seen(y.data, self.y_shape)
            self.plan.forward(self.seen(x.data, self.x_shape), w, b, result, *folded)
            self.put_back(result, y.data)

    def _folded(self) -> tuple[Any, Any]:
        """Factor and summand of each channel, by the layers folded, whose values may change from pass to pass."""
        # The same arrays in each pass: a plan that is called with others looks at all of them anew.
        self._factor.fill(1)
        self._summand.fill(0)
        for each in self.folded:
            each.fold(self._factor, self._summand)
        return self._factor, self._summand

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        (dw, *rest), add = self.gradients()
        db = rest[0] if rest else None
        for x, y, wanted in zip(bottom, top, propagate_down, strict=True):
            dy = self.seen(y.diff, self.y_shape)
            if dw is not None or db is not None:
                self.plan.backward_weights(self.seen(x.data, self.x_shape), dy, self.weights(dw), db, add)
                add = True
            if wanted:
                dx = self.seen(x.diff, self.x_shape)
                self.plan.backward_data(dy, self.weights(self.blobs[0].data), dx)
                self.put_back(dx, x.diff)
