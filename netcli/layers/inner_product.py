"""Inner product: a fully connected layer.  Same results as Caffe's inner_product_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence

from netcli.arrays.layout import Shape, count_of
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import layer
from netcli.layers.before_relu import BeforeReLU


@layer("InnerProduct", param="inner_product_param")
class InnerProduct(BeforeReLU):
    """y = W x + b for each x, the items of the bottom from `axis` on in Caffe's order.

    bottom  x  (*rows, *items): `axis` divides the two
    top     y  (*rows, M)
    blobs   W (M, K), or (K, M) with transpose, K being the number of items   b (M,) with bias_term
    param   num_output M, axis (1), transpose (false), bias_term (true), weight_filler, bias_filler
            engine, negative_slope  change nothing; the latter is of a ReLU that is refused itself

    It absorbs the forward of a ReLU.
    """

    reads_top = False
    fork_fields = ("engine", "negative_slope")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.p
        if p.num_output < 1:
            raise ShapeError("num_output is missing, or 0", field="inner_product_param.num_output")
        axis = self.axis(p.axis, len(bottom[0].shape), "inner_product_param.axis")
        self.items = count_of(bottom[0].shape[axis:])
        w_shape = (self.items, p.num_output) if p.transpose else (p.num_output, self.items)
        self.add_blob(w_shape, p.weight_filler, "inner_product_param.weight_filler")
        if p.bias_term:
            self.add_blob((p.num_output,), p.bias_filler, "inner_product_param.bias_filler")

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        shape = bottom_shapes[0]
        axis = self.axis(self.p.axis, len(shape), "inner_product_param.axis")
        if count_of(shape[axis:]) != self.items:
            raise ShapeError(
                f"weights made for {self.items} items do not fit the {count_of(shape[axis:])} "
                f"from axis {axis} on of bottom {self.named(0, shape)}",
                field="bottom",
            )
        return [(*shape[:axis], self.p.num_output)]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        p, shape = self.p, bottom[0].shape
        axis = self.axis(p.axis, len(shape))
        self.plan = self.ops.inner_product(shape, axis, p.num_output, p.transpose, p.bias_term, self.dtype, self.slope)

    def multiply_adds(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        return top[0].count // int(self.p.num_output) * self.blobs[0].count

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        b = self.blobs[1].data if self.p.bias_term else None
        self.plan.forward(bottom[0].data, self.blobs[0].data, b, top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        (dw, *rest), add = self.gradients()
        db = rest[0] if rest else None
        if dw is not None or db is not None:
            self.plan.backward_weights(bottom[0].data, top[0].diff, dw, db, add)
        if propagate_down[0]:
            self.plan.backward_data(top[0].diff, self.blobs[0].data, bottom[0].diff)
