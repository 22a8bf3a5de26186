"""The transform of a data layer: what happens to an image between its record and its place in the batch.

Where transform_param has only Caffe's own fields the results are those of data_transformer.cpp, with other random
draws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from netcli.arrays import random
from netcli.arrays.layout import Shape, size_text
from netcli.arrays.ops import Ops
from netcli.augment.artefacts import artefact_steps
from netcli.augment.colours import PCAJitter, colour_steps
from netcli.augment.draws import happens
from netcli.augment.settings import check, crop_of
from netcli.augment.sizes import padded, size_steps
from netcli.augment.steps import BLOCK, Step, check_bounds
from netcli.augment.warps import warp_steps
from netcli.errors import ShapeError

REDUCTIONS = (8, 4, 2)  # of which a JPEG can be decoded


class Transform:
    """One layer's transform_param, applied to one image at a time, by any number of threads.

    param      TransformationParameter
    train      crop at random instead of in the middle
    mean       the content of mean_file, (C, H, W) in 0..255, BGR; None without one
    find       gives the path of a file that the prototxt names
    seed, purpose   what the draws are keyed by, beside epoch and index of the record
    ops        None: the fastest
    crop       (height, width) of what is cut out; (0, 0): nothing is

    In this order, of an image (C, H, W) of bytes or floats, BGR in 0..255:
      another size     resize_param, min_side, random_resize_param, random_aspect_ratio_param (sizes.py)
      pad              a black border, in pixels
      crop_size        side of the square that is cut out, or crop_h and crop_w; 0 (default): the whole image.
                       center_crop: from the middle in training too
      moved            vertical_mirror, affine_param, blur_param (warps.py)
      colours          distort_param, color_jitter, pca_jitter (colours.py)
      spoilt           jpeg_param, erase_ratio (artefacts.py)
      mirror           each image is mirrored or not by a draw, in both phases
      y = (x - mean) * scale
        mean_file      one mean for each channel and pixel of the uncropped image
        mean_value     or one for each channel, or one for all
        scale          default 1
      cutout_param     squares set to 0
    force_color, force_gray say how encoded images are decoded: see `color`.  All but size, crop, pad, mean and scale
    is done in training alone, but mirror.

    The draws are a function of seed, purpose, epoch and index, so threads and resumes change none.
    """

    def __init__(
        self,
        param: Any,
        *,
        train: bool,
        mean: Any = None,
        find: Callable[[str], str] = str,
        dtype: Any = np.float32,
        seed: int = 0,
        purpose: str,
        ops: Ops | None = None,
    ) -> None:
        check(param)
        self.color = True if param.force_color else False if param.force_gray else None
        self.seed, self.purpose = seed, purpose
        self.crop = crop_of(param)
        self._mirror: bool = param.mirror
        self._pad: int = param.pad
        self._random_crop = train and self.crop != (0, 0) and not param.center_crop
        self._mean = mean
        self._mean_shape = None if mean is None else mean.shape
        self._scale = float(param.scale)
        self._mean_value = np.array(param.mean_value, dtype) if param.mean_value else None
        self._normalise = (ops or Ops()).normalise(mean, float(param.scale), dtype)
        self._dtype = np.dtype(dtype)
        # Each with the places of its words in a record's draws; the first block is of crop and mirror.
        self._blocks = [(purpose, 1)]
        self._sizes = [self._placed(step) for step in size_steps(param, self.crop, train)]
        changes = (*warp_steps(param), *colour_steps(param), *artefact_steps(param)) if train else ()
        self._changes = [self._placed(step) for step in changes]
        pca = PCAJitter(param.pca_jitter, find) if train and param.HasField("pca_jitter") else None
        self._pca = None if pca is None else (pca, self._words("pca_jitter", pca.blocks))
        cut = param.cutout_param if train and param.HasField("cutout_param") else None
        if cut is not None:
            check_bounds(cut, "transform_param.cutout_param", count=(1, 16), prob=(0, 1))
        self._cutout = None if cut is None else (cut, self._words("cutout_param", cut.count))

    # -- shapes

    def shape(self, image: Shape, dtype: Any = np.uint8) -> Shape:
        """The shape of a transformed image of (C, H, W); raises ShapeError where image, mean and crop do not fit.

        dtype: of the image
        """
        steps = (*self._sizes, *self._changes)
        if steps and dtype != np.uint8:
            name = steps[0][0].name
            raise ShapeError(f"{name} is for images of bytes, not of {dtype}", field=f"transform_param.{name}")
        for step, _ in steps:
            if step.name == "random_resize_param" and self.crop == (0, 0):
                raise ShapeError("random_resize_param needs crop_size", field="transform_param.random_resize_param")
            if step.shape is not None:
                image = step.shape(image, None)
        channels, height, width = image
        if self._mean_shape is not None and self._mean_shape != image:
            raise ShapeError(
                f"the mean image is {size_text(self._mean_shape)}, the images are {size_text(image)}; "
                "they must be of one size",
                field="transform_param.mean_file",
            )
        if self._mean_value is not None and len(self._mean_value) not in (1, channels):
            raise ShapeError(
                f"{len(self._mean_value)} mean_value for images of {channels} channels; give one, or one for each",
                field="transform_param.mean_value",
            )
        if self._pca is not None and self._pca[0].channels != channels:
            raise ShapeError(
                f"pca_jitter has {self._pca[0].channels} axes, for images of {channels} channels",
                field="transform_param.pca_jitter",
            )
        height, width = height + 2 * self._pad, width + 2 * self._pad
        if self.crop == (0, 0):
            return channels, height, width
        if self.crop[0] > height or self.crop[1] > width:
            name = f"{self.crop[0]}" if self.crop[0] == self.crop[1] else size_text(self.crop)
            raise ShapeError(
                f"crop_size {name} is larger than the image, {size_text((channels, height, width))}",
                field="transform_param.crop_size",
            )
        return channels, *self.crop

    def need(self, words: Any, height: int, width: int) -> tuple[int, int]:
        """How many times smaller, 1, 2, 4 or 8, an image may be decoded, and how many of its rows are looked at then.

        Smaller, since it is then made smaller at random.  Sides are rounded up.
        """
        if not self._sizes:
            return 1, self._rows(words, height, width)
        step, places = self._sizes[0]
        own = None if words is None else words[places]
        times = 1
        if step.reducible is not None:
            most = step.reducible(own, height, width)
            times = next((each for each in REDUCTIONS if each <= most), 1)
        height, width = -(-height // times), -(-width // times)
        return times, height if step.rows is None else step.rows(own, height, width)

    def _rows(self, words: Any, height: int, width: int) -> int:
        """Of an image that nothing but what is cut out is looked at."""
        if self._pad or self.crop[0] > height or self.crop[1] > width:
            return height
        top, _, rows, _ = self._window(words, height, width)
        return top + rows

    # -- draws

    def _words(self, name: str, blocks: int) -> slice:
        """The places of a step's words in a record's draws; they are its own, whatever other steps there are."""
        begin = BLOCK * sum(count for _, count in self._blocks)
        if blocks:
            self._blocks.append((f"{self.purpose} {name}", blocks))
        return slice(begin, begin + BLOCK * blocks)

    def _placed(self, step: Step) -> tuple[Step, slice]:
        return step, self._words(step.name, step.blocks)

    def draws(self, epoch: int, first: int, count: int) -> Any:
        """The random words of records first .. first + count - 1 of an epoch, one row for each; None: none needed."""
        if not self._random_crop and not self._mirror and len(self._blocks) == 1:
            return None
        drawn = [random.words(self.seed, purpose, epoch, first, count, blocks) for purpose, blocks in self._blocks]
        return drawn[0] if len(drawn) == 1 else np.concatenate(drawn, axis=1)

    def windows_of(self, ops: Ops) -> Any:
        """The plan of `Ops.normalise_batch` that does all of it, by `window` and `less`; None: none does."""
        if self._sizes or self._changes or self._pad or self._cutout is not None:
            return None
        return ops.normalise_batch(self._mean, self._scale, self._dtype)

    def window(self, words: Any, height: int, width: int) -> tuple[int, int, bool]:
        """Top and left of what is cut out of an image, and whether it is mirrored."""
        top, left, _, _ = self._window(words, height, width)
        return top, left, self._mirrored(words)

    def _window(self, words: Any, height: int, width: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of what is cut out."""
        if self.crop == (0, 0):
            return 0, 0, height, width
        slack = height - self.crop[0], width - self.crop[1]
        if self._random_crop:
            top, left = (int(random.below(words[i], slack[i] + 1)) for i in range(2))
        else:
            top, left = slack[0] // 2, slack[1] // 2
        return top, left, *self.crop

    def _mirrored(self, words: Any) -> bool:
        return self._mirror and int(random.below(words[2], 2)) == 1

    def _squares(self, words: Any, height: int, width: int) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of what is blanked out."""
        if self._cutout is not None:
            param, places = self._cutout
            for chance, row, column, _ in words[places].reshape(-1, BLOCK):
                if happens(chance, param.prob):
                    corner = (int(random.below(row, height)), int(random.below(column, width)))
                    begin = [at - param.size // 2 for at in corner]
                    yield (
                        slice(max(0, begin[0]), max(0, begin[0] + param.size)),
                        slice(max(0, begin[1]), max(0, begin[1] + param.size)),
                    )

    # -- the work

    def __call__(self, image: Any, words: Any, out: Any) -> None:
        """Transform an image (C, H, W), uint8 or float, into `out`, of `shape(image.shape)` in any strides.

        words: its row of `draws`
        """
        image = self.uncut(image, words)
        top, left, height, width = self._window(words, *image.shape[1:])
        if self._changes:
            part = image[:, top : top + height, left : left + width]
            for step, places in self._changes:
                part = step.apply(part, words[places])
            if self._mean_shape is None:
                image, top, left = part, 0, 0
            else:  # the mean is that of the whole image
                image = np.empty_like(image)
                image[:, top : top + height, left : left + width] = part
        self._normalise.forward(image, top, left, self._mirrored(words), self.less(words), out)
        for square in self._squares(words, height, width):
            out[:, square[0], square[1]] = 0

    def uncut(self, image: Any, words: Any = None) -> Any:
        """An image as it is before anything is cut out of it: brought to its size and padded.

        words: its row of `draws`; none are needed in testing
        """
        for step, places in self._sizes:
            image = step.apply(image, None if words is None else words[places])
        return padded(image, self._pad) if self._pad else image

    def shown(self, image: Any, words: Any) -> Any:
        """(C, h, w) uint8: what the net sees of an image, before its mean and its scale.

        What is blanked out, and so 0 to the net, is the mean.  words: its row of `draws`
        """
        out = np.empty(self.shape(image.shape), self._dtype)
        self(image, words, out)
        mean: Any = 0 if self._mean_value is None else self._mean_value.reshape(-1, 1, 1)
        if self._mean is not None:
            top, left, height, width = self._window(words, *self._mean.shape[1:])
            mean = self._mean[:, top : top + height, left : left + width]
            mean = mean[:, :, ::-1] if self._mirrored(words) else mean
        return np.rint(out / self._scale + mean).clip(0, 255).astype(np.uint8)

    def cut(self, image: Any, top: int, left: int, mirrored: bool, out: Any) -> None:
        """For testing: a part of an `uncut` image, of the size of `out` (C, h, w), less the mean and scaled."""
        self._normalise.forward(image, top, left, mirrored, self._mean_value, out)

    @property
    def less_count(self) -> int:
        """Numbers that `less` gives; 0: none."""
        given = 0 if self._mean_value is None else len(self._mean_value)
        return given if self._pca is None else self._pca[0].channels

    def less(self, words: Any) -> Any:
        """What is taken off each channel, (C,) or (1,); None: nothing."""
        if self._pca is None:
            return self._mean_value
        pca, places = self._pca
        mean = 0 if self._mean_value is None else self._mean_value
        return (mean - pca(words[places])).astype(self._dtype)

    def describe(self, words: Any, image: Shape) -> str:
        """What is done to an image of this shape by these draws, in words."""
        parts: list[str] = []
        for step, places in self._sizes:
            parts.append(step.describe(None if words is None else words[places], image))
            if step.shape is not None:
                image = step.shape(image, None if words is None else words[places])
        height, width = image[1] + 2 * self._pad, image[2] + 2 * self._pad
        top, left, *of_part = self._window(words, height, width)
        size = tuple(of_part)
        if self._pad:
            parts.append(f"padded by {self._pad}")
        if self.crop != (0, 0):
            parts.append(f"crop {size_text(size)} at {top},{left}")
        parts += [step.describe(words[places], image) for step, places in self._changes]
        if self._pca is not None:
            pca, places = self._pca
            parts.append("pca " + " ".join(f"{each:+.1f}" for each in pca(words[places])))
        if self._mirrored(words):
            parts.append("mirrored")
        parts += [f"cut out {rows.start},{columns.start}" for rows, columns in self._squares(words, *size)]
        return ", ".join(part for part in parts if part)
