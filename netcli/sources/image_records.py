"""How an image file becomes a record of a database."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from netcli.arrays.interpolation import LINEAR
from netcli.arrays.layout import Shape
from netcli.arrays.resize import proportional, resize
from netcli.errors import DataError
from netcli.sources.datum import write_datum, write_encoded_datum
from netcli.sources.image_file import FORMATS, JPEG_QUALITY, decode_image, encode_image, read_file, upright
from netcli.sources.image_sets import ImageSet, Source

FITS = ("warp", "crop", "pad")


@dataclass(frozen=True)
class Recipe:
    """What is done to an image.

    color        three channels, BGR; else one
    size         (height, width) to bring it to; None: as it is
    fit          how: "warp" stretches it, "crop" keeps its proportions and cuts off what is too much on both sides,
                 "pad" keeps them and adds black on both sides
    short_side   or bring its short side to this, in proportion; 0: as it is
    interpolation   of INTERPOLATIONS of arrays/interpolation.py
    orient       turn it as its EXIF data say
    encoded      store an image file instead of pixels: the file's own bytes where nothing is done to them
    encode_type  kind of that file, "" for the one it has; quality: of a JPEG or WebP, 0 to 100
    """

    color: bool = True
    size: tuple[int, int] | None = None
    fit: str = "warp"
    short_side: int = 0
    orient: bool = False
    encoded: bool = False
    encode_type: str = ""
    quality: int = JPEG_QUALITY
    interpolation: str = LINEAR


class Record(NamedTuple):
    """An image ready to be written."""

    value: bytes
    shape: Shape


Outcome = Record | DataError

MOST_IMAGES = 10**8  # images of a database: more digits would put their keys in another order


def key_of(images: ImageSet, index: int, number: int) -> bytes:
    """As Caffe's convert_imageset makes them."""
    return f"{number:08d}_{images.paths[index]}".encode(errors="surrogateescape")


def make_record(source: Source, recipe: Recipe) -> Record:
    """An image as a record; raises DataError, which names the file."""
    data = read_file(source.file) if source.data is None else source.data
    try:
        image = decode_image(data, recipe.color)
        if recipe.orient:
            image = upright(image, data)
        changed = fitted(image, recipe)
        if recipe.encoded or recipe.encode_type:
            file = _encoded(source.file, data, changed, changed is image, recipe)
            return Record(write_encoded_datum(file, source.label), changed.shape)
        return Record(write_datum(changed, source.label), changed.shape)
    except DataError as fault:
        raise DataError(f"{source.file}: {fault.message}") from None


def outcomes_of(sources: list[Source | DataError], recipe: Recipe) -> list[Outcome]:
    """Records, or what is wrong with an image; what is wrong already stays so."""
    return [source if isinstance(source, DataError) else _outcome(source, recipe) for source in sources]


def _outcome(source: Source, recipe: Recipe) -> Outcome:
    try:
        return make_record(source, recipe)
    except DataError as fault:
        return fault


def fitted(image: Any, recipe: Recipe) -> Any:
    """The image (C, H, W) in the size that the recipe says; the image itself where it has it."""
    height, width = image.shape[1:]
    how = recipe.interpolation
    if recipe.short_side:
        return resize(image, *proportional(image.shape, recipe.short_side), interpolation=how)
    if recipe.size is None or recipe.fit == "warp":
        return image if recipe.size is None else resize(image, *recipe.size, interpolation=how)
    ratios = recipe.size[0] / height, recipe.size[1] / width
    scale = max(ratios) if recipe.fit == "crop" else min(ratios)
    # Rounded to no less than what is cut out, or no more than what is filled.
    limit = max if recipe.fit == "crop" else min
    inner = [
        max(1, limit(round(side * scale), wanted)) for side, wanted in zip((height, width), recipe.size, strict=True)
    ]
    image = resize(image, inner[0], inner[1], interpolation=how)
    begin = [abs(side - wanted) // 2 for side, wanted in zip(inner, recipe.size, strict=True)]
    if recipe.fit == "crop":
        return image[:, begin[0] : begin[0] + recipe.size[0], begin[1] : begin[1] + recipe.size[1]]
    canvas = np.zeros((image.shape[0], *recipe.size), np.uint8)
    canvas[:, begin[0] : begin[0] + inner[0], begin[1] : begin[1] + inner[1]] = image
    return canvas


def _encoded(path: str, data: bytes, image: Any, unchanged: bool, recipe: Recipe) -> bytes:
    """The image in the type wanted: the file's own bytes where they are that already, as in Caffe.

    With one channel the image is encoded anew; Caffe would store a colour file as it is, and --gray be lost.
    """
    extension = os.path.splitext(path)[1][1:].lower()
    kind = recipe.encode_type.lower() or extension
    own = unchanged and recipe.color and recipe.quality == JPEG_QUALITY
    if own and FORMATS.get(kind) == FORMATS.get(extension):
        return data
    return encode_image(image, kind, recipe.quality)
