"""What a net is shown of an image in testing: its middle, ten crops, all of it, each in several sizes.

Ten crops: Krizhevsky et al., "ImageNet Classification with Deep Convolutional Neural Networks", 2012, section 4.1.
All of it: Sermanet et al., "OverFeat", 2014; Simonyan & Zisserman, "Very Deep Convolutional Networks", 2015, 3.2.

    H, W: size of an image    h, w: of a crop
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from netcli.arrays.layout import Shape
from netcli.arrays.ops import Ops
from netcli.arrays.resize import proportional, resize
from netcli.augment.transform import Transform
from netcli.errors import NetcliError

CROPS = 10
SIZES = ("resize_param", "min_side", "random_resize_param", "random_aspect_ratio_param")  # --scales is in their place

log = logging.getLogger("netcli")


class Window(NamedTuple):
    """A part of an image, and whether it is mirrored."""

    top: int
    left: int
    height: int
    width: int
    mirrored: bool = False


def centre(size: tuple[int, ...], crop: tuple[int, int]) -> Window:
    """The crop (h, w) in the middle of an image (H, W)."""
    return Window((size[0] - crop[0]) // 2, (size[1] - crop[1]) // 2, *crop)


def ten_crops(size: tuple[int, ...], crop: tuple[int, int]) -> list[Window]:
    """Top left, top right, bottom left, bottom right and middle of an image (H, W), and the same five mirrored."""
    below, beyond = size[0] - crop[0], size[1] - crop[1]
    corners = [Window(top, left, *crop) for top in (0, below) for left in (0, beyond)]
    return [
        window._replace(mirrored=mirrored) for mirrored in (False, True) for window in (*corners, centre(size, crop))
    ]


@dataclass(frozen=True)
class Views:
    """Which parts of an image are shown.

    ten     ten crops in place of the one in the middle
    whole   all of the image, and that mirrored, for a fully convolutional net; not with ten
    scales  lengths that the short side is brought to, in pixels; all is done at each.  (): images as they are
    """

    ten: bool = False
    whole: bool = False
    scales: tuple[int, ...] = ()

    @property
    def are_several(self) -> bool:
        return self.ten or self.whole or bool(self.scales)

    def windows(self, size: tuple[int, ...], crop: tuple[int, int]) -> list[Window]:
        """Those of an image (H, W) that a crop (h, w) fits in; (0, 0): the whole is the middle."""
        all_of_it = Window(0, 0, size[0], size[1])
        if self.whole:
            return [all_of_it, all_of_it._replace(mirrored=True)]
        if crop == (0, 0):
            return [all_of_it]
        return ten_crops(size, crop) if self.ten else [centre(size, crop)]

    def __str__(self) -> str:
        what = f"{CROPS} crops" if self.ten else "the whole and its mirror image" if self.whole else "the middle"
        return f"{what} at short sides of {', '.join(map(str, self.scales))}" if self.scales else what


class View(NamedTuple):
    """One view, to be written into an array (C, *shape[1:]) of a net's input when there is room."""

    shape: Shape
    fill: Callable[[Any], None]


@dataclass
class Viewer:
    """Makes the views of images: called with one (C, H, W), it gives them one after another.

    param  TransformationParameter of the test data; its mirror is left out
    mean   the content of mean_file, (C, H, W), or None; where images are brought to other sizes (scales), its mean
           of each channel is taken off instead
    find, dtype, ops  as Transform has them
    Raises NetcliError where ten crops, or images of several sizes, come without a size of the crop.
    """

    param: Any
    views: Views
    mean: Any = None
    find: Callable[[str], str] = str
    dtype: Any = np.float32
    ops: Ops | None = None
    _transform: Transform = field(init=False)

    def __post_init__(self) -> None:
        param, mean = type(self.param)(), self.mean
        param.CopyFrom(self.param)
        for name in ("mirror", *(SIZES if self.views.scales else ())):
            param.ClearField(name)
        if self.views.scales and mean is not None:
            log.warning("a mean image is of one size: its mean of each channel is taken off images of other sizes")
            param.ClearField("mean_file")
            param.mean_value.extend(np.asarray(mean, np.float64).mean(axis=(1, 2)))
            mean = None
        self._transform = Transform(
            param, train=False, mean=mean, find=self.find, dtype=self.dtype, purpose="views", ops=self.ops
        )
        if self._transform.crop == (0, 0) and (self.views.ten or self.views.scales) and not self.views.whole:
            raise NetcliError(
                f"{self.views} need crop_size, the size of what is cut out", field="transform_param.crop_size"
            )

    def __call__(self, image: Any) -> Iterator[View]:
        """The views of an image, each made when it is asked to fill; raises ShapeError, NetcliError."""
        for short in self.views.scales or (None,):
            sized = image
            if short is not None:
                if image.dtype != np.uint8:
                    raise NetcliError(f"images of bytes are brought to scales, not of {image.dtype}")
                sized = resize(image, *proportional(image.shape, short))
            self.check(sized.shape, sized.dtype)
            uncut = self._transform.uncut(sized)
            for window in self.views.windows(uncut.shape[1:], self._transform.crop):
                yield View((len(uncut), window.height, window.width), self._filler(uncut, window))

    def check(self, image: Shape, dtype: Any = np.uint8) -> None:
        """Raise ShapeError where the transform does not fit an image (C, H, W) that was brought to its scale."""
        self._transform.shape(image, dtype)

    def _filler(self, uncut: Any, window: Window) -> Callable[[Any], None]:
        return lambda out: self._transform.cut(uncut, window.top, window.left, window.mirrored, out)
