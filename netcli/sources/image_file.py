"""Image files to arrays and back, by Pillow and simplejpeg, in the way Caffe's OpenCV had them.

Pillow, simplejpeg and OpenCV decode a JPEG to the same bytes, all by libjpeg-turbo; simplejpeg needs three quarters of
Pillow's time, and takes the plain ones that are whole.  An orientation in the EXIF data is not followed, as in Caffe's
day.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import simplejpeg
from PIL import Image, UnidentifiedImageError

from netcli.arrays.layout import size_text
from netcli.errors import DataError
from netcli.sources.colours import grey_of, rgb_of_cmyk
from netcli.sources.jpeg_rows import upper_part

FORMATS = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "bmp": "BMP", "tif": "TIFF", "tiff": "TIFF", "webp": "WEBP"}
ORIENTATION = 0x0112  # the EXIF tag
JPEG_QUALITY = 95  # OpenCV's default in imencode
READ = 1 << 16  # bytes of a file that are read at once


# Of (height, width): how many times smaller, 1, 2, 4 or 8, an image may be decoded, and how many of its rows are looked
# at then, from the top; sides are rounded up.
Needs = Callable[[int, int], tuple[int, int]]


def decode_image(data: bytes | memoryview, color: bool | None = None, need: Needs | None = None) -> Any:
    """(C, H, W) uint8 in 0..255 of a file's bytes; 3 channels are BGR, 4 are BGRA.

    color: 3 channels (True), 1 (False), or as many as the file has (None)
    need: of (height, width), gives how much smaller an ordinary JPEG may be decoded, and which of its rows are looked
        at; those behind may be 0
    Raises DataError, which says what is wrong but not with which file.
    """
    found = _plain_jpeg(data, color, need) if color is not False else None
    if found is not None:
        return found
    with opened(io.BytesIO(data)) as image:
        return _array(image, color)


def _plain_jpeg(data: bytes | memoryview, color: bool | None, need: Needs | None) -> Any:
    """A whole JPEG of colours or of grey by simplejpeg; None for all else, which is Pillow's to judge."""
    if bytes(data[:2]) != b"\xff\xd8":
        return None
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        if space not in ("YCbCr", "Gray") or height * width > (Image.MAX_IMAGE_PIXELS or height * width):
            return None
        order = "BGR" if space == "YCbCr" or color else "GRAY"
        if need is None:
            return simplejpeg.decode_jpeg(data, order).transpose(2, 0, 1)
        return _needed_part(data, order, height, width, *need(height, width)).transpose(2, 0, 1)
    except ValueError:  # cut off, or something that Pillow may know
        return None


def _needed_part(data: bytes | memoryview, order: str, height: int, width: int, times: int, rows: int) -> Any:
    """(H, W, C) of a JPEG, smaller and with its first rows alone, the others 0, as far as that can be."""
    part = upper_part(data, height, rows * times)
    tall = height if part is None else part.height
    least = {} if times == 1 else {"min_height": -(-tall // times), "min_width": -(-width // times)}
    if part is None:
        return simplejpeg.decode_jpeg(data, order, **least)
    whole = np.empty((-(-height // times), -(-width // times), 3 if order == "BGR" else 1), np.uint8)
    try:
        simplejpeg.decode_jpeg(part.data, order, buffer=whole, **least)
    except ValueError as fault:
        if not part.is_whole(fault):
            raise
    whole[-(-tall // times) :] = 0
    return whole


@contextmanager
def opened(file: BinaryIO) -> Iterator[Image.Image]:
    """The image in a stream, of which no pixel is decoded yet.

    Raises DataError, in the body of the `with` too, which says what is wrong but not with which file.
    """
    try:
        with Image.open(file) as image:
            yield image
    except UnidentifiedImageError:
        raise DataError("not an image file of a known kind") from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as fault:
        raise DataError(f"an image that can't be decoded: {fault}") from None


def read_file(path: str) -> bytes:
    """The bytes of a file; raises DataError."""
    # A file object asks the system for more than is wanted here: of small files, it takes twice the time.
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            parts = []
            while part := os.read(descriptor, READ):
                parts.append(part)
        finally:
            os.close(descriptor)
    except OSError as fault:
        raise DataError(f"{path} can't be read: {fault.strerror}") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


def read_image(
    path: str,
    color: bool | None = None,
    read: Callable[[str], bytes] = read_file,
    need: Needs | None = None,
) -> Any:
    """`decode_image` of the file at `path`, whose bytes `read` gives; raises DataError, which names the file."""
    data = read(path)
    try:
        return decode_image(data, color, need)
    except DataError as fault:
        raise DataError(f"{path}: {fault.message}") from None


def image_size(path: str) -> tuple[int, int]:
    """Height and width of the image file at `path`, from its header; raises DataError, which names the file."""
    try:
        with open(path, "rb") as file, opened(file) as image:
            return image.height, image.width
    except OSError as fault:
        raise DataError(f"{path} can't be read: {fault.strerror}") from None
    except DataError as fault:
        raise DataError(f"{path}: {fault.message}") from None


def image_facts(data: bytes | memoryview) -> tuple[str, tuple[int, int, int]]:
    """The format ("JPEG", "PNG", ...) and (C, H, W) of a file's bytes, by its header; raises DataError.

    C: the channels that `decode_image` gives where no color is asked for
    """
    with opened(io.BytesIO(data)) as image:
        is_grey = image.mode in ("1", "L") or image.mode.startswith("I")
        channels = 1 if is_grey else 4 if _has_alpha(image) else 3
        return image.format or "unknown", (channels, image.height, image.width)


def _has_alpha(image: Image.Image) -> bool:
    return image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info


def _array(image: Image.Image, color: bool | None) -> Any:
    png = image.format == "PNG"
    if color is False:
        # libjpeg's own grey, which is a JPEG's luma channel; OpenCV asks for the same.
        image.draft("L", None)
    if image.mode.startswith("I"):  # 16 bits of grey, of which OpenCV keeps the upper 8
        grey = (np.asarray(image).clip(0, 2**16 - 1) >> 8).astype(np.uint8)
        return np.repeat(grey[None], 3 if color else 1, axis=0)
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns of going from here to anything else
    if color is None:
        mode = "L" if image.mode in ("1", "L") else "RGBA" if _has_alpha(image) else "RGB"
    else:
        mode = "RGB" if color else "L"
    if mode == "L" and image.mode not in ("1", "L", "LA"):
        return grey_of(_pixels(image, "RGB"), png=png)[None]
    pixels = _pixels(image, mode)
    if mode == "L":
        return pixels[None]
    order = [2, 1, 0] if mode == "RGB" else [2, 1, 0, 3]
    return pixels[..., order].transpose(2, 0, 1)


def _pixels(image: Image.Image, mode: str) -> Any:
    if image.mode == "CMYK" and mode == "RGB":
        return rgb_of_cmyk(np.asarray(image))
    return np.asarray(image if image.mode == mode else image.convert(mode))


def upright(image: Any, data: bytes) -> Any:
    """An image (C, H, W) turned as the EXIF data of its file say; itself where they say nothing."""
    with opened(io.BytesIO(data)) as file:
        orientation = file.getexif().get(ORIENTATION, 1)
    if orientation not in range(2, 9):
        return image
    if orientation >= 5:  # the sides change places
        image = image.transpose(0, 2, 1)
    # Of the orientations in their order: whether rows and columns are to be reversed.
    rows, columns = ((0, 0), (0, 1), (1, 1), (1, 0), (0, 0), (0, 1), (1, 1), (1, 0))[orientation - 1]
    return image[:, :: -1 if rows else 1, :: -1 if columns else 1]


def encode_image(image: Any, kind: str, quality: int = JPEG_QUALITY) -> bytes:
    """The bytes of an image file of `kind` ('jpg', 'png', ...) from (C, H, W) uint8, C 1 or 3 (BGR).

    quality: of a JPEG or WebP, 0 to 100
    Raises DataError, for an image too large for its kind too.
    """
    try:
        name = FORMATS[kind.lower()]
    except KeyError:
        raise DataError(f"images can't be encoded as '{kind}', only as {', '.join(FORMATS)}") from None
    pixels = image[0] if image.shape[0] == 1 else image[::-1].transpose(1, 2, 0)
    file = io.BytesIO()
    options = {"quality": quality} if name == "JPEG" or (name == "WEBP" and quality != JPEG_QUALITY) else {}
    try:
        Image.fromarray(np.ascontiguousarray(pixels)).save(file, name, **options)
    except (OSError, ValueError) as fault:
        size = size_text(image.shape[1:])
        raise DataError(f"an image of {size} pixels can't be encoded as {name}: {fault}") from None
    return file.getvalue()
