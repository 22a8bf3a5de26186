"""The transform of a data layer: crop, mirror, (x - mean) * scale.

Same results as Caffe's data_transformer.cpp, with other random draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays import random
from netcli.arrays.layout import Shape, size_text
from netcli.errors import NetcliError, ShapeError

COMPUTED = {"scale", "mirror", "crop_size", "mean_file", "mean_value", "force_color", "force_gray"}


class Transform:
    """One layer's transform_param, applied to one image at a time.

    param      TransformationParameter
    train      crop at random instead of in the middle
    mean       the content of mean_file, (C, H, W) in 0..255, BGR; None without one
    seed, purpose   what the draws are keyed by, beside epoch and index of the record

    y = (x - mean) * scale, cut out at (top, left) and reversed along W where mirrored
      scale       default 1
      mean_file   one mean for each channel and pixel of the uncropped image
      mean_value  or one for each channel, or one for all
      crop_size   side of the square that is cut out; 0 (default): the whole image
      mirror      each image is mirrored or not by a draw, in both phases
      force_color, force_gray   how encoded images are decoded: see `color`

    The draws are a function of seed, purpose, epoch and index, so threads and resumes change none.
    """

    def __init__(
        self, param: Any, *, train: bool, mean: Any = None, dtype: Any = np.float32, seed: int = 0, purpose: str
    ) -> None:
        for field, _ in param.ListFields():
            if field.name not in COMPUTED:
                raise NetcliError(
                    f"transform_param.{field.name} is known but not computed yet", field=f"transform_param.{field.name}"
                )
        if param.HasField("mean_file") and param.mean_value:
            raise NetcliError("mean_file and mean_value exclude each other", field="transform_param.mean_value")
        if param.force_color and param.force_gray:
            raise NetcliError("force_color and force_gray exclude each other", field="transform_param.force_gray")
        self.color = True if param.force_color else False if param.force_gray else None
        self.seed, self.purpose = seed, purpose
        self._dtype = np.dtype(dtype).type
        self._scale = None if param.scale == 1 else self._dtype(param.scale)
        self._crop: int = param.crop_size
        self._mirror: bool = param.mirror
        self._random_crop = train and self._crop > 0
        self._mean_image = None if mean is None else np.ascontiguousarray(mean, self._dtype)
        self._mean_value = np.array(param.mean_value, self._dtype).reshape(-1, 1, 1) if param.mean_value else None

    def shape(self, image: Shape) -> Shape:
        """The shape of a transformed image of (C, H, W); raises ShapeError where image, mean and crop do not fit."""
        channels, height, width = image
        if self._mean_image is not None and self._mean_image.shape != image:
            raise ShapeError(
                f"the mean image is {size_text(self._mean_image.shape)}, the images are {size_text(image)}; "
                "they must be of one size",
                field="transform_param.mean_file",
            )
        if self._mean_value is not None and len(self._mean_value) not in (1, channels):
            raise ShapeError(
                f"{len(self._mean_value)} mean_value for images of {channels} channels; give one, or one for each",
                field="transform_param.mean_value",
            )
        if not self._crop:
            return image
        if self._crop > min(height, width):
            raise ShapeError(
                f"crop_size {self._crop} is larger than the image, {size_text(image)}",
                field="transform_param.crop_size",
            )
        return channels, self._crop, self._crop

    def draws(self, epoch: int, first: int, count: int) -> Any:
        """The random words of records first .. first + count - 1 of an epoch, one row for each; None: none needed."""
        if not self._random_crop and not self._mirror:
            return None
        return random.words(self.seed, self.purpose, epoch, first, count)

    def __call__(self, image: Any, words: Any, out: Any) -> None:
        """Transform an image (C, H, W), uint8 or float, into `out`, of `shape(image.shape)` in any strides.

        words: its row of `draws`; 0: top of the crop, 1: left, 2: mirrored or not
        """
        mean = self._mean_value if self._mean_image is None else self._mean_image
        if self._crop:
            slack = image.shape[1] - self._crop, image.shape[2] - self._crop
            if self._random_crop:
                top, left = int(random.below(words[0], slack[0] + 1)), int(random.below(words[1], slack[1] + 1))
            else:
                top, left = slack[0] // 2, slack[1] // 2
            window = (slice(None), slice(top, top + self._crop), slice(left, left + self._crop))
            image = image[window]
            if self._mean_image is not None:
                mean = self._mean_image[window]
        y = out[:, :, ::-1] if self._mirror and int(random.below(words[2], 2)) else out
        # One pass each, without an array in between; the casts happen in NumPy's own small buffers.
        if mean is not None:
            np.subtract(image, mean, out=y, dtype=self._dtype, casting="same_kind")
        elif self._scale is not None:
            np.multiply(image, self._scale, out=y, dtype=self._dtype, casting="same_kind")
            return
        else:
            np.copyto(y, image, casting="same_kind")
        if self._scale is not None:
            np.multiply(out, self._scale, out=out)
