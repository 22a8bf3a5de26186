"""Images of a list, read from their files.

Same batches as Caffe's image_data_layer.cpp, with other random draws.
"""

from __future__ import annotations

import os
from typing import Any

from netcli.arrays import random
from netcli.arrays.resize import resize
from netcli.errors import DataError, NetcliError, ShapeError
from netcli.layers.base import layer
from netcli.layers.batches import BatchLayer
from netcli.layers.record_order import RecordOrder
from netcli.layers.records import Source, cache_of
from netcli.sources.image_cache import ImageCache
from netcli.sources.image_file import Needs, read_image
from netcli.sources.image_list import ImageList, folder_of, named, prefix_of, read_list


@layer("ImageData", param="image_data_param")
class ImageData(BatchLayer):
    """The images of a text file of lines `path label`, over and over.

    top     data    (batch_size, C, H, W), after transform_param; H and W of the first image of the batch
            label   (batch_size,)
    param   source                  the list; the label is what follows the last space of a line
            root_folder             what the paths begin with; "": they are looked for from the current folder,
                                    then beside the list
            batch_size              default 1
            shuffle                 a new order in each epoch, drawn from seed and epoch
            new_height, new_width   size the images are brought to, without regard to their proportions; both or neither
            is_color                default true: 3 channels, BGR; else 1
            rand_skip               the first images, fewer than this by a draw, are passed over once
            scale, mean_file, crop_size, mirror   have no effect, as in Caffe: they stand in transform_param now
            threads                 (NVCaffe) that read and transform images; 0 (default): as many as compute
            cache                   (NVCaffe) keep decoded images in memory, up to cache_mib (ours, default 1024)
            shuffle_window          (ours) with shuffle: images that stay together, in random order, as do the windows
            precache                changes nothing

    That every file is there is checked at the beginning; one that can't be decoded is named when its turn comes.
    """

    tops = 2
    fork_fields = ("threads", "cache", "precache")

    def open_source(self) -> Source:
        if not self.p.source:
            raise NetcliError("image_data_param needs source, a list of images")
        height, width = self.p.new_height, self.p.new_width
        if (height > 0) != (width > 0):
            field = f"image_data_param.new_{'height' if height else 'width'}"
            raise ShapeError(f"new_height {height} and new_width {width} go together: both or neither", field=field)
        images = read_list(self.find(self.p.source))
        root = prefix_of(self.find(self.p.root_folder)) if self.p.root_folder else folder_of(images.paths, images.file)
        files = [root + path for path in images.paths]
        missing = [path for path in files if not os.path.exists(path)]
        if missing:
            raise DataError(f"{images.file}: {named(missing, len(files), 'image')} not there")
        seed = self.context.seed if self.p.shuffle else None
        order = RecordOrder(len(files), seed, f"shuffle {self.name}", self.p.shuffle_window)
        return Images(images, files, bool(self.p.is_color), (height, width), order, cache_of(self.p))

    def skip(self, count: int) -> int:
        if not self.p.rand_skip:
            return 0
        word = random.words(self.context.seed, f"skip {self.name}", 0, 0, 1)[0, 0]
        skip = int(random.below(word, self.p.rand_skip))
        if skip >= count:
            raise DataError(f"rand_skip passes over {skip} images of {count}", field="image_data_param.rand_skip")
        return skip


class Images:
    """The images of a list as a source."""

    def __init__(
        self,
        images: ImageList,
        files: list[str],
        color: bool,
        size: tuple[int, int],
        order: RecordOrder,
        cache: ImageCache | None,
    ) -> None:
        self._cache = cache
        self._images = images
        self._files = files
        self._color = color
        self._size = size  # (height, width) to bring them to; (0, 0): as they are
        self._order = order

    def __len__(self) -> int:
        return len(self._files)

    def fetch(self, epoch: int, index: int) -> Any:
        return self._order(epoch, index)

    def decode(self, fetched: Any, need: Needs | None) -> tuple[Any, int]:
        if self._cache is not None:
            return self._cache.get(fetched, lambda: self._decoded(fetched, None))
        return self._decoded(fetched, need)

    def _decoded(self, entry: int, need: Needs | None) -> tuple[Any, int]:
        try:
            image = read_image(self._files[entry], self._color, need=None if self._size[0] else need)
        except DataError as fault:
            raise DataError(f"{self._images.place(entry)}: {fault.message}") from None
        return resize(image, *self._size) if self._size[0] else image, int(self._images.labels[entry])

    def name(self, epoch: int, index: int) -> str:
        entry = self._order(epoch, index)
        return f"{self._images.place(entry)}: {self._files[entry]}"

    def close(self) -> None:
        """Nothing is held open."""
