"""Product, weighted sum or maximum of bottoms, item by item.  Same results as Caffe's eltwise_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import NetcliError, ShapeError
from netcli.layers.absorbing import Absorbed, Chance
from netcli.layers.base import Layer, layer
from netcli.layers.before_relu import BeforeReLU
from netcli.prototxt import schema


@layer("Eltwise", param="eltwise_param")
class Eltwise(BeforeReLU):
    """y = x0 * x1 * ..., c0 * x0 + c1 * x1 + ..., or max(x0, x1, ...).

    bottom  x...              two or more of one shape
    top     y                 that shape
    param   operation         SUM (default), PROD, MAX
            coeff             c..., one for each bottom; default 1; MAX takes no notice of them
            stable_prod_grad  true (default): the gradient of a product is that of y times the other bottoms; false:
                              times y / x, which is faster for many bottoms, but NaN where x is 0
            engine            changes nothing

    Of equals in a MAX the gradient goes to the second bottom rather than the first, and to either of them rather
    than to a later one, as in Caffe.  A bottom that is not a number makes a maximum that is none; Caffe overlooks some.
    A sum without coefficients absorbs the forward of a ReLU.
    """

    bottoms = (2, None)
    fork_fields = ("engine",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        p = self.p
        if p.operation not in (p.SUM, p.PROD, p.MAX):
            name = schema.EltwiseParameter.EltwiseOp.Name(p.operation)
            raise NetcliError(
                f"operation {name} is not in netcli yet; SUM, PROD and MAX are", field="eltwise_param.operation"
            )
        if p.coeff and p.operation == p.PROD:
            raise ShapeError("coeff goes with operation: SUM, not with PROD", field="eltwise_param.coeff")
        if p.coeff and len(p.coeff) != len(bottom):
            raise ShapeError(
                f"{len(bottom)} bottoms take as many coeff, got {len(p.coeff)}", field="eltwise_param.coeff"
            )
        self.coefficients = tuple(p.coeff) or (1.0,) * len(bottom)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        first = bottom_shapes[0]
        for index, shape in enumerate(bottom_shapes):
            if shape != first:
                raise ShapeError(f"bottoms differ: {self.named(0, first)}, {self.named(index, shape)}", field="bottom")
        return [first]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        if self.p.operation == self.p.SUM:
            self.plan = self.ops.sum(bottom[0].shape, self.coefficients, self.dtype, self.slope)
        elif self.p.operation == self.p.MAX:
            self.plan = self.ops.maximum(bottom[0].shape, len(bottom), self.dtype)

    def absorb(self, following: Layer, chance: Chance) -> Absorbed:
        return super().absorb(following, chance) if self._adds else Absorbed.NOTHING

    def adds_two(self) -> bool:
        return self._adds and len(self.coefficients) == 2

    @property
    def _adds(self) -> bool:
        """Whether the bottoms are summed as they are."""
        return bool(self.p.operation == self.p.SUM and set(self.coefficients) == {1})

    def backward_reads(self) -> tuple[bool, bool]:
        product = self.p.operation == self.p.PROD
        return product, product

    def passes_on(self, index: int) -> bool:
        return self.p.operation == self.p.SUM and self.coefficients[index] == 1

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        xs, y = [blob.data for blob in bottom], top[0].data
        if self.p.operation == self.p.PROD:
            _multiply(self.xp, xs, y)
        else:
            self.plan.forward(xs, y)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        xp, p, dy = self.xp, self.p, top[0].diff
        if p.operation == p.MAX:
            diffs = [blob.diff if wanted else None for blob, wanted in zip(bottom, propagate_down, strict=True)]
            self.plan.backward(dy, diffs)
            return
        for number, blob in enumerate(bottom):
            if not propagate_down[number] or (self.passed_on and self.passed_on[number]):
                continue
            if p.operation == p.SUM:
                xp.multiply(dy, self.coefficients[number], out=blob.diff)
            elif p.stable_prod_grad:
                _multiply(xp, [dy, *(other.data for other in bottom if other is not blob)], blob.diff)
            else:
                xp.divide(top[0].data, blob.data, out=blob.diff)
                xp.multiply(blob.diff, dy, out=blob.diff)


def _multiply(xp: Any, xs: Sequence[Any], y: Any) -> None:
    """y = the product of two or more arrays."""
    xp.multiply(xs[0], xs[1], out=y)
    for x in xs[2:]:
        y *= x
