"""Windows of images, for training object detectors as R-CNN does.

Girshick, Donahue, Darrell & Malik, "Rich feature hierarchies for accurate object detection and semantic
segmentation", CVPR 2014, arXiv:1311.2524.  Same pixels as Caffe's window_data_layer.cpp, with other random draws.
"""

from __future__ import annotations

import functools
import logging
import os
from typing import Any

import numpy as np

from netcli.arrays import random
from netcli.arrays.layout import size_text
from netcli.augment.transform import Transform
from netcli.errors import DataError, NetcliError, ShapeError
from netcli.layers.base import layer
from netcli.layers.batches import BatchLayer
from netcli.layers.records import Source
from netcli.prototxt import schema
from netcli.sources.image_file import Needs, image_size, read_file, read_image
from netcli.sources.image_list import folder_of, named, prefix_of
from netcli.sources.window_crop import WindowCrop
from netcli.sources.window_list import Window, WindowList, read_windows

log = logging.getLogger("netcli")

MODES = ("warp", "square")
DONE_HERE = ("scale", "mean_file", "mean_value", "crop_size", "mirror", "force_color", "force_gray")


@layer("WindowData", param="window_data_param")
class WindowData(BatchLayer):
    """Windows drawn from a window file, each cut out of its image and brought to one size.

    top     data    (batch_size, 3, crop_size, crop_size); BGR, (x - mean) * scale, 0 where no image shows
            label   (batch_size,), the window's class, 0 for the background
    param   source          the window file: see netcli/sources/window_list.py
            root_folder     what the paths in it begin with; "": they are looked for from the current folder, then
                            beside the window file
            batch_size      windows; first those of the background, then batch_size * fg_fraction, rounded down, others
            fg_fraction     default 0.25
            fg_threshold    overlap from which on a window is foreground; default 0.5
            bg_threshold    overlap below which any other is background; the rest is not used; default 0.5
            context_pad     pixels of the result that show the window's surroundings on each side; default 0
            crop_mode       "warp" (default): height and width are scaled each for itself; "square": the tightest
                            square around the window is taken.  Any other word is read as warp, as in Caffe
            cache_images    keep each image file's bytes in memory once it was read; default false
            scale           after the mean is taken off, default 1.  Caffe reads it here, unlike those that follow
            mean_file, crop_size, mirror   have no effect, as in Caffe: they stand in transform_param now
    transform_param
            crop_size       side of the result; needed
            mirror          each window is mirrored or not by a draw, in both phases
            mean_file       its middle square of crop_size is taken off, unmirrored; or mean_value, one or one a channel
            scale, force_color, force_gray   have no effect, as in Caffe; every image is decoded to 3 channels

    Each window is drawn by its place in the run, from seed and phase, with replacement: the foreground's evenly among
    all of the foreground, the background's likewise.
    Departures from Caffe: an image that is missing is told at the beginning, and one that can't be decoded when its
    turn comes, where Caffe goes on with half a batch; foreground or background may be missing where fg_fraction
    asks for none of it.
    """

    tops = 2
    whole_records = False
    moved = ("mean_file", "crop_size", "mirror")

    def make_transform(self) -> Transform:
        """Nothing more: what transform_param says is done when a window is cut out."""
        param = schema.TransformationParameter()
        param.CopyFrom(self.param.transform_param)
        for name in ("scale", "force_color", "force_gray"):
            if param.HasField(name):
                log.warning(
                    "layer '%s': %s in transform_param has no effect in WindowData, as in Caffe", self.name, name
                )
        for name in DONE_HERE:
            param.ClearField(name)
        return Transform(param, train=self.train, dtype=self.dtype, purpose="none")

    def epoch(self) -> int:
        """0: windows are drawn anew for ever."""
        return 0

    def open_source(self) -> Source:
        if not self.p.source:
            raise NetcliError("window_data_param needs source, a window file")
        crop = self._crop()
        windows = read_windows(self.find(self.p.source), self.p.fg_threshold, self.p.bg_threshold)
        of_foreground = int(np.float32(self.batch_size) * np.float32(self.p.fg_fraction))
        self._check_there_are(windows, of_foreground)
        prefix = self.find(self.p.root_folder) if self.p.root_folder else ""
        root = prefix_of(prefix) if prefix else folder_of(windows.paths, windows.file)
        files = Files(windows, [root + path for path in windows.paths], self.p.cache_images)
        files.check(crop)
        return Windows(
            windows,
            files,
            crop,
            mirror=self.param.transform_param.mirror,
            batch=(self.batch_size, self.batch_size - of_foreground),
            seed=self.context.seed,
            purpose=f"windows {self.name} {'train' if self.train else 'test'}",
        )

    def _crop(self) -> WindowCrop:
        size: int = self.param.transform_param.crop_size
        if size < 1:
            raise ShapeError("WindowData needs crop_size, the side of its images", field="transform_param.crop_size")
        if 2 * self.p.context_pad >= size:
            raise ShapeError(
                f"context_pad {self.p.context_pad} on both sides leaves nothing of crop_size {size}",
                field="window_data_param.context_pad",
            )
        if self.p.crop_mode not in MODES:
            log.warning("layer '%s': crop_mode '%s' is read as warp, as in Caffe", self.name, self.p.crop_mode)
        mean = self._mean(size)
        return WindowCrop(size, self.p.context_pad, self.p.crop_mode == "square", mean, self.p.scale, self.dtype)

    def _mean(self, size: int) -> Any:
        """What is taken off: (3, size, size), or (3 or 1, 1, 1), or None."""
        values = self.param.transform_param.mean_value
        image = self.mean_image()
        if values and image is not None:
            raise NetcliError("mean_file and mean_value exclude each other", field="transform_param.mean_value")
        if len(values) not in (0, 1, 3):
            raise ShapeError(
                f"{len(values)} mean_value for images of 3 channels; give one, or one for each",
                field="transform_param.mean_value",
            )
        if image is None:
            return np.array(values, self.dtype).reshape(-1, 1, 1) if values else None
        first = (image.shape[2] - size) // 2  # of rows too, as in Caffe
        if first < 0 or first + size > image.shape[1] or image.shape[0] != 3:
            raise ShapeError(
                f"the mean image is {size_text(image.shape)}; crop_size {size} wants 3 channels and {size} rows and "
                "columns",
                field="transform_param.mean_file",
            )
        return np.ascontiguousarray(image[:, first : first + size, first : first + size], self.dtype)

    def _check_there_are(self, windows: WindowList, of_foreground: int) -> None:
        if not 0 <= of_foreground <= self.batch_size:
            raise ShapeError(
                f"fg_fraction {self.p.fg_fraction:g} is not between 0 and 1", field="window_data_param.fg_fraction"
            )
        if of_foreground and not len(windows.foreground):
            raise DataError(f"{windows.file}: no window overlaps an object by fg_threshold {self.p.fg_threshold:g}")
        if of_foreground < self.batch_size and not len(windows.background):
            raise DataError(f"{windows.file}: no window is background, below bg_threshold {self.p.bg_threshold:g}")


class Files:
    """The image files of a window file.

    cache: keep the bytes of those that were read
    """

    def __init__(self, windows: WindowList, paths: list[str], cache: bool) -> None:
        self._windows = windows
        self._paths = paths
        self._read = functools.cache(read_file) if cache else read_file

    def check(self, crop: WindowCrop) -> None:
        """Raise DataError where files are not there, or a window doesn't fit its image.

        An image is only looked into where the window file's own sizes say that a window of it doesn't fit.
        """
        windows = self._windows
        missing = [path for path in self._paths if not os.path.exists(path)]
        if missing:
            raise DataError(f"{windows.file}: {named(missing, len(self._paths), 'image')} not there")
        for table in (windows.foreground, windows.background):
            x1, y1, x2, y2 = table[:, 2:6].T
            height, width = windows.sizes[table[:, 0]].T
            for row in table[~crop.fits((x1, y1, x2, y2), (height, width))]:
                window = Window(*row.tolist())
                size = image_size(self._paths[window.image])
                if not crop.fits(window.box, size):
                    raise DataError(f"{windows.file}:{window.line}: {crop.misfit(window.box, size)}")

    def image(self, number: int) -> Any:
        """(3, H, W) uint8 of an image; raises DataError, which names it and its line."""
        try:
            return read_image(self._paths[number], True, self._read)
        except DataError as fault:
            raise DataError(f"{self._windows.file}:{self._windows.lines[number]}: {fault.message}") from None


class Windows:
    """Windows drawn at random as a source.

    batch: windows in a batch, and how many of them, its first, are background
    """

    def __init__(
        self,
        windows: WindowList,
        files: Files,
        crop: WindowCrop,
        *,
        mirror: bool,
        batch: tuple[int, int],
        seed: int,
        purpose: str,
    ) -> None:
        self._windows = windows
        self._files = files
        self._crop = crop
        self._mirror = mirror
        self._batch = batch
        self._seed, self._purpose = seed, purpose

    def __len__(self) -> int:
        return len(self._windows)

    def fetch(self, epoch: int, index: int) -> Any:
        return self._draw(epoch, index)

    def decode(self, fetched: Any, _need: Needs | None) -> tuple[Any, int]:
        window, mirrored = fetched
        image = self._files.image(window.image)
        try:
            return self._crop(image, window.box, mirrored), window.label
        except DataError as fault:
            raise DataError(f"{self._windows.file}:{window.line}: {fault.message}") from None

    def name(self, epoch: int, index: int) -> str:
        return f"{self._windows.file}:{self._draw(epoch, index)[0].line}"

    def _draw(self, epoch: int, index: int) -> tuple[Window, bool]:
        """The window at a place of the run, and whether it is mirrored."""
        position = epoch * len(self) + index
        size, of_background = self._batch
        table = self._windows.background if position % size < of_background else self._windows.foreground
        words = random.words(self._seed, self._purpose, 0, position, 1)[0]
        mirrored = self._mirror and bool(random.below(words[1], 2))
        return Window(*table[int(random.below(words[0], len(table)))].tolist()), mirrored

    def close(self) -> None:
        """Nothing is held open."""
