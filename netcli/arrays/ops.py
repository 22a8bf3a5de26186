"""The ops contract: what the heavy operations are called and what they compute.

An op is asked for once per shape and answers with a plan; the plan's methods only execute.  Each op
has a plain NumPy-style body, which is its definition and serves everywhere, and faster bodies that
take what they can and decline the rest by raising `Unsupported`.  Every body of an op is a class with
the signature given here; tests/arrays/bodies holds them to it and to the same numbers.

Rules for every plan:
  - shapes are tuples; arrays are of the dtype asked for, in any strides, though bodies are fastest on
    the blobs' own layout (Note [Channels last]);
  - inputs are not changed, unless an output is the same array and the op says that it may be;
  - outputs are overwritten, unless `add` says that they are summed into;
  - whatever backward needs from forward beside its arguments, the plan keeps until the next forward.

Note [bfloat16]: in this precision the products, which are the work, take their operands rounded to bfloat16 (the upper
half of a float32, to the nearest, ties to even): x and w forward, dy and w back to x, x and dy for dw, and dy for db.
Sums are float32, and so is every array that an op is given: activations, gradients, the weights that a solver changes
and its histories.  So the numbers' range is float32's, a loss needs no scaling, and files do not change.  All other ops
compute in float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from netcli.arrays.bodies import Engine
from netcli.arrays.choices import Choices
from netcli.arrays.device import CPU
from netcli.arrays.layout import Shape

# Caffe's FLT_MIN, in float64 too: no item's logarithmic loss exceeds -log(1.17549e-38) = 87.3365.
SMALLEST = float(np.finfo(np.float32).tiny)


class Ops(Engine):
    """The ops; see `Engine` for what it is made with."""

    def of_host(self) -> Ops:
        """The same for NumPy's arrays."""
        return self if self.device is CPU else Ops(self.engine)

    def conv(
        self,
        x_shape: Shape,
        num_output: int,
        kernel: Shape,
        stride: Shape,
        pad: Shape,
        dilation: Shape,
        group: int,
        bias: bool,
        dtype: Any = np.float32,
        relu: float | None = None,
        add: bool = False,
        choices: Choices | None = None,
        affine: bool = False,
        prelu: bool = False,
        held: bool = False,
        bf16: bool = False,
    ) -> Any:
        """Convolution over one or more spatial axes, in groups, with dilation (1: none).

        x (N, C, *in)   w (M, C/group, *kernel)   b (M,)   y (N, M, *out)
        out = max(0, in + 2 pad - (dilation (kernel - 1) + 1)) // stride + 1; where the difference is below 0,
        zeros behind the padding make up for it
        affine: times s (M,) plus t (M,); then add: plus z, of y's shape; then relu: times this slope where y would be
        below 0, or prelu: times a (M,) there.  All are forward's alone.
        Slope 0 may be one of up to 1e-20 (-inf stays); what is not a number stays so.
        held: forward's filters stay, and are given by `hold`, before the first forward and when they have changed
        choices: for a plan that lasts: it finds its fastest implementation by them, or by its first execution;
        None: by a rule, in no time
        bf16: Note [bfloat16]; also where the precision of this `Ops` says so

        plan.y_shape
        plan.hold(w)                                with held
        plan.forward(x, w, b, y, ...)               w: None with held; b: None without bias; then s and t, z, a, where
                                                    there are any
        plan.backward_data(dy, w, dx)
        plan.backward_weights(x, dy, dw, db, add)   dw, db: None where not wanted; add: sum into them
        """
        window = (kernel, stride, pad, dilation)
        after = (relu, add, choices, affine, prelu, held, bf16 or self._bf16(dtype))
        return self._plan("conv", x_shape, num_output, *window, group, bias, dtype, *after)

    def inner_product(
        self,
        x_shape: Shape,
        axis: int,
        num_output: int,
        transpose: bool,
        bias: bool,
        dtype: Any = np.float32,
        relu: float | None = None,
        bf16: bool = False,
    ) -> Any:
        """Matrix product of x, flattened (in Caffe's order) to (rows, K) at `axis`, with the weights.

        x any   w (num_output, K), or (K, num_output) if transpose   b (num_output,)   y (*x_shape[:axis], num_output)
        relu, bf16: as in `conv`

        plan.y_shape
        plan.forward(x, w, b, y)
        plan.backward_data(dy, w, dx)
        plan.backward_weights(x, dy, dw, db, add)
        """
        bf16 = bf16 or self._bf16(dtype)
        return self._plan("inner_product", x_shape, axis, num_output, transpose, bias, dtype, relu, bf16)

    def pool(
        self,
        x_shape: Shape,
        y_shape: Shape,
        method: str,
        kernel: Shape,
        stride: Shape,
        pad: Shape,
        mask: bool = False,
        dtype: Any = np.float32,
        gradients: bool = True,
    ) -> Any:
        """Pooling of (N, C, H, W); the caller has worked out y_shape, ceiling or floor.

        method "max": the largest item of the window clipped to the image; of equals the first in row
        order, which also gets the gradient.  method "ave": the window's sum over the image, divided by
        the window's area clipped to the image with its padding (to H + pad, W + pad), as Caffe does.
        A window wholly outside the image gives the lowest number of the dtype, or 0, and no gradient; NaN is
        never a maximum.

        plan.forward(x, y)
        plan.backward(dy, dx)   unless gradients is False, and forward keeps nothing for it
        plan.mask               with mask=True, after forward: (N, C, *out), the index h * W + w of each maximum, or -1
        """
        return self._plan("pool", x_shape, y_shape, method, kernel, stride, pad, mask, dtype, gradients)

    def stochastic_pool(
        self, x_shape: Shape, y_shape: Shape, kernel: Shape, stride: Shape, dtype: Any = np.float32
    ) -> Any:
        """Pooling of (N, C, H, W) without padding by one cell of each window, drawn in proportion to its value.

        The values are not to be negative.  Of the window p (counted in Caffe's order, N C P Q) that cell is taken at
        which the running sum in row order first reaches (1 - u) * sum, u = word p of
        `random.words(seed, purpose, major, ...)` in [0, 1); where none does (negative values, NaN) the last.
        `mean` is what is expected of it: sum(x**2) / sum(x), or 0 where sum(x) is not above 0.
        A window wholly outside the image gives 0 and no gradient.

        plan.forward(x, y, seed, purpose, major)
        plan.backward(dy, dx)                     by the cells of the last forward
        plan.mean(x, y)
        plan.mean_backward(x, y, dy, dx)          after mean, x and y as they were there
        """
        return self._plan("stochastic_pool", x_shape, y_shape, kernel, stride, dtype)

    def lrn(
        self,
        x_shape: Shape,
        region: str,
        size: int,
        alpha: float,
        beta: float,
        k: float,
        dtype: Any = np.float32,
        gradients: bool = True,
    ) -> Any:
        """Local response normalisation of (N, C, H, W): y = x * s ** -beta, s = k + alpha / n * sum(x**2).

        region "across": the sum runs over `size` (odd) channels around each, n = size;
        "within": over size x size pixels around each, n = size ** 2, zeros outside the image.

        plan.forward(x, y)
        plan.backward(x, dy, dx)   unless gradients is False, and forward keeps nothing for it
        """
        return self._plan("lrn", x_shape, region, size, alpha, beta, k, dtype, gradients)

    def batch_norm(
        self,
        x_shape: Shape,
        eps: float,
        use_global: bool,
        affine: bool = False,
        relu: bool = False,
        dtype: Any = np.float32,
    ) -> Any:
        """y = (x - mean) / sqrt(var + eps), with one mean and variance for each channel (axis 1).

        use_global: mean and var (C,) are given; otherwise forward computes them from x (var is the mean
        square deviation, divided by the count) and writes them.
        affine: y times s (C,), plus b (C,); then relu: 0 where y would be below it.

        plan.forward(x, mean, var, s, b, y)              s, b: None unless affine; y may be x
        plan.backward(x, mean, var, s, dy, dx, ds, db)   x as it was at forward; dx may be dy; ds, db (C,): the
                                                         gradients of s and b, None unless affine
        """
        return self._plan("batch_norm", x_shape, eps, use_global, affine, relu, dtype)

    def moving_statistics(self, channels: int, items: int, fraction: float, dtype: Any = np.float32) -> Any:
        """mean_sum = mean_sum * fraction + mean, s = s * fraction + 1, and the same of var * items / (items - 1).

        items: of a channel in a batch, at which `var` is the mean square deviation; of one, var is as it is
        mean, var, mean_sum, var_sum (C,)   s (1,)

        plan.update(mean, var, mean_sum, var_sum, s)
        """
        return self._plan("moving_statistics", channels, items, fraction, dtype)

    def softmax(self, x_shape: Shape, axis: int, dtype: Any = np.float32) -> Any:
        """y = exp(x - max) / sum(exp(x - max)) along `axis` (>= 0).

        plan.forward(x, y)        y may be x
        plan.backward(y, dy, dx)  dx may be dy
        """
        return self._plan("softmax", x_shape, axis, dtype)

    def log_loss(self, p_shape: Shape, axis: int, dtype: Any = np.float32) -> Any:
        """The logarithmic loss of probabilities p with the classes along `axis` (>= 0), and its gradient for a softmax.

        index   intp, p_shape with 1 at `axis`: the class of each item; below 0 for an item that takes no part

        plan.forward(p, index)               returns the sum of -log(max(p at the index, SMALLEST)): a float, or an
                                             array without axes that is overwritten by the next forward
        plan.backward(p, index, scale, dx)   dx = scale * (p - 1) at the index, scale * p elsewhere, 0 for an item
                                             that takes no part; dx may be p; scale: a number, or an array without axes
        """
        return self._plan("log_loss", p_shape, axis, dtype)

    def activation(self, kind: str, shape: Shape, alpha: float = 0.0, dtype: Any = np.float32) -> Any:
        """An elementwise non-linearity.

        kind "relu": x where x > 0, alpha * x elsewhere   "elu": x where x > 0, alpha * (exp(x) - 1) elsewhere
             "sigmoid": 1 / (1 + exp(-x))                 "tanh": tanh(x)

        plan.forward(x, y)            y may be x
        plan.backward(x, y, dy, dx)   x is y where forward wrote over it; dx may be dy
        """
        return self._plan("activation", kind, shape, alpha, dtype)

    def prelu(self, x_shape: Shape, shared: bool, dtype: Any = np.float32) -> Any:
        """y = x where x > 0, a * x elsewhere, with a slope for each channel (axis 1), or one that is shared.

        a, da (C,), or () if shared

        plan.forward(x, a, y)            y may be x
        plan.backward(x, a, dy, dx, da)  x as it was at forward; dx, da: None where not wanted; dx may be dy
        """
        return self._plan("prelu", x_shape, shared, dtype)

    def scale(self, x_shape: Shape, axis: int, end: int, dtype: Any = np.float32) -> Any:
        """y = x * s + b; s and b lie along the axes from `axis` to `end` - 1 of x and are repeated along the others.

        s, b, ds, db   x_shape[axis:end]; axis = end = len(x_shape) for one number

        plan.forward(x, s, b, y)                s, b: None for 1 and 0; y may be x
        plan.backward(x, s, dy, dx, ds, db)     x as it was at forward, None without ds; dx, ds, db: None where not
                                                wanted; dx may be dy
        """
        return self._plan("scale", x_shape, axis, end, dtype)

    def concat(self, shapes: Sequence[Shape], axis: int, dtype: Any = np.float32) -> Any:
        """Arrays joined along `axis` (>= 0); Slice is the same with forward and backward exchanged.

        plan.y_shape
        plan.forward(xs, y)
        plan.backward(dy, dxs)   None in dxs is left out
        """
        return self._plan("concat", tuple(shapes), axis, dtype)

    def sum(
        self, shape: Shape, coefficients: Sequence[float], dtype: Any = np.float32, relu: float | None = None
    ) -> Any:
        """y = sum of coefficients[i] * xs[i], all of one shape; then relu as in `conv`.

        plan.forward(xs, y)   y may be xs[0]
        """
        return self._plan("sum", shape, tuple(coefficients), dtype, relu)

    def maximum(self, shape: Shape, count: int, dtype: Any = np.float32) -> Any:
        """y = the largest item of xs, `count` (2 or more) arrays of one shape.

        Of equals the second counts before the first, and either of them before a later one.  What is not a number is
        the largest.

        plan.forward(xs, y)      y is none of xs
        plan.backward(dy, dxs)   by the last forward: dx = dy * 1 where its x was the largest, dy * 0 elsewhere; None in
                                 dxs is left out
        """
        return self._plan("maximum", shape, count, dtype)

    def dropout(self, shape: Shape, ratio: float, dtype: Any = np.float32) -> Any:
        """Items set to zero with probability `ratio`, the rest divided by 1 - ratio.

        Item i (counted in Caffe's order, N C H W) is kept where half-word i of
        `random.words(seed, purpose, major, ...)` is at least ratio * 2**32.

        plan.forward(x, y, seed, purpose, major)   y may be x; major: a number, or `Varying`, as in every op
        plan.backward(dy, dx)                      by the mask of the last forward; dx may be dy
        """
        return self._plan("dropout", shape, ratio, dtype)

    def normalise(self, mean: Any, scale: float, dtype: Any = np.float32) -> Any:
        """What a data layer does to an image: y = (x - mean - less) * scale, cut out and mirrored.

        mean   (C, H, W), one for each channel and pixel of the whole image, or None
        x      (C, H, W), uint8 or floating-point, in any strides; it is not written to
        less   (C,) or (1,) of `dtype`, taken off each channel, or None
        y      (C, h, w): x from (top, left) on, reversed along the width where mirrored

        plan.forward(x, top, left, mirrored, less, y)   from several threads at a time, too
        """
        return self._plan("normalise", mean, scale, dtype)

    def normalise_batch(self, mean: Any, scale: float, dtype: Any = np.float32) -> Any:
        """The same for a batch whose images have one size; mean is NumPy's.

        x                     (N, C, H, W), uint8 or floating-point, in any strides; it is not written to
        top, left, mirrored   (N,) int32, int32 and bool: those of each image
        less                  (N, C) or (N, 1) of `dtype`, or None
        y                     (N, C, h, w)

        plan.forward(x, top, left, mirrored, less, y)
        """
        return self._plan("normalise_batch", mean, scale, dtype)

    def whole_numbers(self, shape: Shape, limit: int, ignore: int | None, dtype: Any = np.float32) -> Any:
        """Floats of `shape` as indices 0 .. limit-1.

        plan.forward(values)   returns (index, ignored), of `shape`, good until the next forward: intp, some index where
                               a value is none or equals `ignore`; and whether it equals that, bool, or None where it is
                               known that none does
        plan.wrong             (3,) float64: since it was zeroed, of the first forward with a value that is no index nor
                               `ignore`: 1, the place of the first, counted in C order, and the value
        """
        return self._plan("whole_numbers", shape, limit, ignore, dtype)

    def add_rows(self, into_shape: Shape, index_shape: Shape, dtype: Any = np.float32) -> Any:
        """into[index[n]] += rows[n] for each place n of index; an index may come more than once.

        into into_shape   index index_shape, intp   rows (*index_shape, *into_shape[1:])
        Rows are added one after the other, in the order of index.

        plan.forward(into, index, rows)
        """
        return self._plan("add_rows", into_shape, index_shape, dtype)

    def norm(self, shapes: Sequence[Shape], dtype: Any = np.float32) -> Any:
        """The L2 norm of arrays of these shapes, in C order, taken together, in double.

        plan.forward(xs)   returns a float, or an array without axes that is overwritten by the next call
        """
        return self._plan("norm", tuple(shapes), dtype)

    def update(
        self,
        rule: str,
        shape: Shape,
        momentum: float = 0.0,
        momentum2: float = 0.0,
        delta: float = 0.0,
        dtype: Any = np.float32,
    ) -> Any:
        """A solver's step: weights w, the gradient dw, and one or two histories h, q, all of `shape` in C order.

        g = scale * dw + decay * w (decay * sign(w) if l1), and then by the rule, m and m2 being the momenta:
        "SGD"       h = m * h + rate * g                w = w - h
        "Nesterov"  u = h;  h = m * h + rate * g        w = w - ((1 + m) * h - m * u)
        "AdaGrad"   h = h + g ** 2                      w = w - rate * g / (sqrt(h) + delta)
        "RMSProp"   h = m * h + (1 - m) * g ** 2        w = w - rate * g / (sqrt(h) + delta)
        "AdaDelta"  h = m * h + (1 - m) * g ** 2        w = w - rate * d, d = g * sqrt((q + delta) / (h + delta))
                    and then q = m * q + (1 - m) * d ** 2
        "Adam"      h = m * h + (1 - m) * g             w = w - rate * h / (sqrt(q) + delta)
                    q = m2 * q + (1 - m2) * g ** 2
        dw is left as it is.

        plan.update(w, dw, histories, rate, decay, l1, scale)   rate, scale: numbers, or `Varying`
        """
        return self._plan("update", rule, shape, momentum, momentum2, delta, dtype)
