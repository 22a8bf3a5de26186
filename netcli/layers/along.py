"""What Scale and Bias share: a second operand that lies along some axes of x and is repeated along the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.neuron import Neuron


class Along(Neuron):
    """x with s, which is as large as some axes of x in a row; for inheriting.

    bottom  x  any shape
            s  optional; x.shape[axis:axis+k], k being its number of axes (0: a scalar); otherwise a blob
    top     y  shape of x; may be x itself
    blobs   s  with one bottom: x.shape[axis:axis+num_axes]
    param   axis      default 1
            num_axes  default 1; -1: to the last; 0: s is a scalar; nothing where s is a bottom
    """

    bottoms = (1, 2)

    def blob_shape(self, bottom: Sequence[Blob]) -> Shape:
        """The shape of s where it is a blob."""
        shape, count = bottom[0].shape, self.p.num_axes
        axis = self.axis(self.p.axis, len(shape), f"{self.param_field}.axis")
        end = len(shape) if count == -1 else axis + count
        if count < -1 or end > len(shape):
            raise ShapeError(
                f"num_axes is {count} from axis {axis} on of bottom {self.named(0, shape)}; "
                f"it is -1, or 0 to {len(shape) - axis}",
                field=f"{self.param_field}.num_axes",
            )
        return shape[axis:end]

    def operand(self, bottom: Sequence[Blob]) -> Blob:
        """s: the second bottom, or a blob."""
        return bottom[1] if len(bottom) > 1 else self.blobs[0]

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return bottom_shapes[:1]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        x, s = bottom[0].shape, self.operand(bottom).shape
        axis = self.axis(self.p.axis, len(x), f"{self.param_field}.axis") if s else len(x)
        end = axis + len(s)
        if x[axis:end] != s:
            name = f"bottom {self.named(1, s)}" if len(bottom) > 1 else f"the parameter {s}"
            raise ShapeError(
                f"{name} is not as large as the axes from {axis} on of bottom {self.named(0, x)}", field="bottom"
            )
        self._lies = x, axis, end
        self._plan: Any = None

    @property
    def plan(self) -> Any:
        """That of `Ops.scale`, made when it is first wanted: not where another layer does this one's work."""
        if self._plan is None:
            self._plan = self.ops.scale(*self._lies, self.dtype)
        return self._plan
