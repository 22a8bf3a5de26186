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
from netcli.layers.absorbing import Absorbed, Chance
from netcli.layers.base import Context, Layer, layer
from netcli.layers.before_relu import BeforeReLU
from netcli.layers.filters import Filters


@layer("Convolution", param="convolution_param")
class Convolution(BeforeReLU, Filters):
    """y at each place of the window is the product of a filter with what the window shows of x.

    bottom  x...  (*images, C, *in)
    top     y...  (*images, M, *out), out = (in + 2 pad - (dilation (kernel - 1) + 1)) // stride + 1
    blobs   W (M, C / group, *kernel)   b (M,) with bias_term
    param   as Filters says

    It absorbs the forward of a ReLU and, in a net that does not run backward, the layers that `fold` before it
    (BatchNorm by running averages, Scale), an Eltwise that adds another blob, and a PReLU in place of the ReLU.  In a
    net whose parameters stay the filters are made ready once, with what is folded in them.
    """

    reads_top = False

    def __init__(self, param: Any, context: Context) -> None:
        super().__init__(param, context)
        self._absorb_nothing()

    def _absorb_nothing(self) -> None:
        self.relu: Layer | None = None
        self.prelu: Layer | None = None
        self.folded: list[Layer] = []
        self.adds = False  # its last bottom is then a blob that is added to the result

    def weight_shape(self) -> tuple[int, int]:
        return self.p.num_output, self.channels // self.p.group

    def out_sizes(self, sizes: Shape, bottom: str) -> Shape:
        return self.window.places(sizes, bottom)

    def absorb(self, following: Layer, chance: Chance) -> Absorbed:
        absorbed = self._absorb(following, chance)
        if absorbed is not Absorbed.NOTHING:
            self.make_plan()  # reshape makes one for other shapes alone
        return absorbed

    def _absorb(self, following: Layer, chance: Chance) -> Absorbed:
        if self.prelu is not None:
            return Absorbed.NOTHING
        if chance.backward or self.relu is not None or self.channel_axis != 1:
            return super().absorb(following, chance)
        if following.type == "PReLU":
            self.prelu = following
        elif len(following.param.bottom) == 1 and following.folds() and not self.adds:
            self.folded.append(following)
        elif following.adds_two() and len(self.x_shape) == 4 and not self.adds:
            self.adds = True
        else:
            return super().absorb(following, chance)
        return Absorbed.ALL

    def release(self) -> None:
        self._absorb_nothing()
        self.make_plan()

    def make_plan(self) -> None:
        held, folded = self.context.constant, bool(self.folded)
        self.plan = self.conv(
            self.x_shape,
            self.p.num_output,
            self.p.bias_term or (held and folded),
            relu=self.slope,
            add=self.adds,
            affine=folded and not held,
            prelu=self.prelu is not None,
            held=held,
        )
        self._is_ready = False  # whether a plan that holds its filters has them
        # The same arrays in each pass: a plan that is called with others looks at all of them anew.
        self._factor, self._summand, self._slopes = self.xp.empty((3, self.p.num_output), self.dtype)

    def multiply_adds(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return sum(blob.count for blob in top) // int(self.p.num_output) * self.blobs[0].count

    def parameters_changed(self) -> None:
        self._is_ready = False

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        w, b, *after = self._ready() if self.context.constant else self._parameters()
        if self.adds:
            *bottom, other = bottom
            after.append(self.seen(other.data, self.y_shape))
        if self.prelu is not None:
            after.append(self._slopes_below_zero(self.prelu))
        for x, y in zip(bottom, top, strict=True):
            result = self.seen(y.data, self.y_shape)
            self.plan.forward(self.seen(x.data, self.x_shape), w, b, result, *after)
            self.put_back(result, y.data)

    def _parameters(self) -> tuple[Any, ...]:
        """Filters, biases and, where layers are folded, factors and summands of the channels, as they are now."""
        w, b = self.weights(self.blobs[0].data), self.blobs[1].data if self.p.bias_term else None
        return (w, b, *self._fold()) if self.folded else (w, b)

    def _ready(self) -> tuple[Any, Any]:
        """The same for a plan that holds its filters: none, and biases."""
        if not self._is_ready:
            w, b, *folded = self._parameters()
            if folded:
                factor, summand = folded
                w = w * factor.reshape(-1, *[1] * (w.ndim - 1))
                b = summand if b is None else summand + b * factor
            self.plan.hold(w)
            self._biases, self._is_ready = b, True
        return None, self._biases

    def _fold(self) -> tuple[Any, Any]:
        """Factor and summand of each channel, by the layers folded."""
        self._factor.fill(1)
        self._summand.fill(0)
        for each in self.folded:
            each.fold(self._factor, self._summand)
        return self._factor, self._summand

    def _slopes_below_zero(self, prelu: Layer) -> Any:
        """Of each channel."""
        slopes = prelu.blobs[0].data
        if slopes.ndim:
            return slopes
        self._slopes[...] = slopes
        return self._slopes

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
