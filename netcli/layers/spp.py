"""Spatial pyramid pooling.

He et al., "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition", ECCV 2014,
arXiv:1406.4729.  Same results as Caffe's spp_layer.cpp.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from netcli.arrays.layout import count_of
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer
from netcli.layers.pooling import Pooling
from netcli.prototxt import schema


@layer("SPP", param="spp_param")
class SPP(Layer):
    """Levels 0, 1, ... pool the image into 1 x 1, 2 x 2, 4 x 4, ... bins; y holds those of all, level by level.

    bottom  x               (N, C, H, W)
    top     y               (N, C * bins of all levels); with pyramid_height 1: (N, C, 1, 1)
    param   pyramid_height  levels, 1 or more; needed
            pool            MAX (default), AVE or STOCHASTIC
            engine          changes nothing

    A level of n bins a side pools with kernel and stride ceil(H / n), and pads so that they cover the image; STOCHASTIC
    takes no padding, so that n has to divide H and W.  (Caffe's levels are in TRAIN whatever the phase of the net; here
    they are in the layer's.)
    """

    own_diffs = ("spare", "levels")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.p.pyramid_height < 1:
            raise ShapeError("needs pyramid_height, 1 or more", field="spp_param.pyramid_height")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        if len(shape) != 4:
            raise ShapeError(f"takes a bottom of 4 axes (N, C, H, W), got {self.named(0, shape)}", field="bottom")
        self.levels = [self._level(bottom[0], 2**level) for level in range(self.p.pyramid_height)]
        self.ends = list(accumulate(count_of(out.shape[1:]) for _, out in self.levels))
        self.spare = Blob(shape, self.dtype, device=self.context.device)  # for the gradient of all levels but the first
        self.spare.share_data(bottom[0])
        top[0].reshape(self.levels[0][1].shape if len(self.levels) == 1 else (shape[0], self.ends[-1]))

    def _level(self, x: Blob, bins: int) -> tuple[Pooling, Blob]:
        """The layer that pools into bins x bins, and the blob that it pools into."""
        # A name for each level: draws are keyed by it.
        name = f"{self.name} {bins}x{bins}"
        message = schema.LayerParameter(name=name, type="Pooling", bottom=self.param.bottom, phase=self.phase)
        param: Any = message.pooling_param
        param.pool = {
            self.p.MAX: param.MAX,
            self.p.AVE: param.AVE,
            self.p.STOCHASTIC: param.STOCHASTIC,
        }[self.p.pool]
        for side, size in zip("hw", x.shape[2:], strict=True):
            kernel = -(-size // bins)
            pad = (kernel * bins - size + 1) // 2
            if pad >= kernel:
                raise ShapeError(
                    f"pyramid_height {self.p.pyramid_height} makes {bins} x {bins} bins, too many for bottom "
                    f"{self.named(0, x.shape)}",
                    field="spp_param.pyramid_height",
                )
            if pad and self.p.pool == self.p.STOCHASTIC:
                raise ShapeError(
                    f"pool: STOCHASTIC takes no padding, which {bins} x {bins} bins of bottom "
                    f"{self.named(0, x.shape)} need",
                    field="spp_param.pool",
                )
            for name, value in (("kernel", kernel), ("stride", kernel), ("pad", pad)):
                setattr(param, f"{name}_{side}", value)
        pooling, out = Pooling(message, self.context), Blob((), self.dtype, device=self.context.device)
        pooling.setup([x], [out])
        pooling.reshape([x], [out])
        return pooling, out

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for (pooling, out), part in zip(self.levels, self._parts(top[0].data), strict=True):
            pooling.forward(bottom, [out])
            part[...] = out.data

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        dx = bottom[0].diff
        for level, ((pooling, out), part) in enumerate(zip(self.levels, self._parts(top[0].diff), strict=True)):
            out.diff[...] = part
            pooling.backward([out], [True], [self.spare] if level else bottom)
            if level:
                dx += self.spare.diff

    def _parts(self, y: Any) -> list[Any]:
        """What of y belongs to each level, in the level's shape: views."""
        rows = y.reshape(len(y), -1)
        return [
            rows[:, end - count_of(out.shape[1:]) : end].reshape(out.shape)
            for (_, out), end in zip(self.levels, self.ends, strict=True)
        ]
