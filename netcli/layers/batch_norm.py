"""Batch normalisation, without scale and shift, which the layer Scale has.

Ioffe & Szegedy, "Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate
Shift", ICML 2015, arXiv:1502.03167.  Same results as Caffe's batch_norm_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.absorbing import Absorbed, Chance
from netcli.layers.base import Layer, layer
from netcli.layers.neuron import Neuron


@layer("BatchNorm", param="batch_norm_param")
class BatchNorm(Neuron):
    """y = (x - mean) / sqrt(var + eps), by the mean and variance of each channel.

    In TRAIN they are those of the batch, and forward adds them to the running sums in the blobs; in TEST they are
    the running averages, blob 0 / s and blob 1 / s (0 where s is 0: nothing has been added yet).

    bottom  x  (N, C, ...)
    top     y  shape of x; may be x itself
    blobs   mean * s (C,)   var * s (C,)   s (1,): sums over the batches, each older by a factor
            moving_average_fraction; var with m / (m - 1) for m items to a channel; not learned
    param   eps                      default 1e-5
            moving_average_fraction  default 0.999
            use_global_stats         true: as in TEST; false: as in TRAIN; default by the phase
            engine, use_weight_bias, bias_term  change nothing: without a filler, Intel Caffe's have no scale either

    Forks have scale and shift in here too; instead of theirs a Scale layer with bias_term goes behind.
    It absorbs such a Scale and, where it normalises by the batch, a ReLU.
    """

    reads_top = False
    statistics = True
    scale: Layer | None  # the layers it has absorbed
    relu: Layer | None
    reads_bottom = True
    fork_fields = ("engine", "use_weight_bias", "bias_term")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) < 2:
            raise ShapeError(f"takes a bottom of 2 axes or more, got {self.named(0, shape)}", field="bottom")
        for index, spec in enumerate(self.param.param):
            if spec.lr_mult != 0:
                raise ShapeError(
                    f"param {index} has lr_mult {spec.lr_mult:g}, but statistics are not learned; give lr_mult: 0",
                    field="param",
                )
        self.channels = shape[1]
        self.use_global = self.p.use_global_stats if self.p.HasField("use_global_stats") else not self.train
        for size in (self.channels, self.channels, 1):
            self.add_blob((size,))
        self.release()

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        if bottom_shapes[0][1:2] != (self.channels,):
            raise ShapeError(
                f"statistics of {self.channels} channels do not fit bottom {self.named(0, bottom_shapes[0])}",
                field="bottom",
            )
        return bottom_shapes

    def absorb(self, following: Layer, chance: Chance) -> Absorbed:
        if not chance.whole or self.relu is not None:
            return Absorbed.NOTHING
        if following.type == "Scale" and self.scale is None and following.folds():
            self.scale = following
            return Absorbed.ALL
        if following.type == "ReLU" and not self.use_global and following.p.negative_slope == 0:
            self.relu = following
            return Absorbed.ALL
        return Absorbed.NOTHING

    def release(self) -> None:
        self.scale = self.relu = None

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        self.plan = self.ops.batch_norm(
            bottom[0].shape,
            self.p.eps,
            self.use_global,
            self.scale is not None,
            self.relu is not None,
            self.dtype,
        )
        items = bottom[0].count // self.channels
        self.moving = self.ops.moving_statistics(self.channels, items, self.p.moving_average_fraction, self.dtype)
        self.mean, self.var, self._shift = self.xp.zeros((3, self.channels), self.dtype)
        self._dscale, self._dshift = self.xp.zeros((2, self.channels), self.dtype)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.use_global:
            self._average()
        else:
            self.keep(bottom, top)
        self.plan.forward(bottom[0].data, self.mean, self.var, *self._affine(), top[0].data)
        if not self.use_global:
            self.moving.update(self.mean, self.var, *(blob.data for blob in self.blobs))

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            x = bottom[0].data if self.use_global else self.kept(bottom, top)
            scale, _ = self._affine()
            dscale, dshift = (None, None) if scale is None else (self._dscale, self._dshift)
            self.plan.backward(x, self.mean, self.var, scale, top[0].diff, bottom[0].diff, dscale, dshift)
            if self.scale is not None:
                for index, (blob, gradient) in enumerate(zip(self.scale.blobs, (dscale, dshift), strict=False)):
                    if self.scale.learns(index):
                        blob.add_gradient(gradient)

    def _average(self) -> None:
        """The running averages as mean and variance."""
        mean_sum, var_sum, s = (blob.data for blob in self.blobs)
        factor = (s != 0) / (s + (s == 0))
        self.xp.multiply(mean_sum, factor, out=self.mean)
        self.xp.multiply(var_sum, factor, out=self.var)

    def _affine(self) -> tuple[Any, Any]:
        """Scale and shift of the layer absorbed."""
        if self.scale is None:
            return None, None
        scale, *shift = self.scale.blobs
        return scale.data, shift[0].data if shift else self._shift

    def folds(self) -> bool:
        return self.use_global

    def fold(self, factor: Any, summand: Any) -> None:
        self._average()
        inverse = 1 / self.xp.sqrt(self.var + self.p.eps)
        factor *= inverse
        summand -= self.mean
        summand *= inverse
