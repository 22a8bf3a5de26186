"""Images of pycaffe: (H, W, K) float32, red first, read, resized and cropped as its `caffe.io` does by scikit-image.

The data layers go another way (BGR bytes, OpenCV's resizing: netcli/sources), and so do Caffe's own tools.  All three
names of this room stand in `netcli.pycaffe.io` too.

    H, W: size of an image    K: its channels    h, w: the size wanted
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from netcli.arrays.layout import size_text
from netcli.augment.views import CROPS, ten_crops
from netcli.errors import DataError, ShapeError
from netcli.sources.image_file import opened

GREY = (0.2125, 0.7154, 0.0721)  # of red, green, blue: ITU-R BT.709 as scikit-image rounds it


class ArrayError(ShapeError, ValueError):
    """An array or a size that does not fit, where pycaffe raises ValueError."""


class ImageError(DataError, OSError):
    """An image file that can't be read; an OSError as in pycaffe, for programs that pass over such files."""


def load_image(filename: str | BinaryIO, color: bool = True) -> Any:
    """(H, W, 3) float32 of an image file, red first, in 0..1; (H, W, 1) where color is False.

    Grey is repeated to three channels, transparency is dropped, a palette looked up, 16 bits of grey keep their
    precision.  An orientation in the EXIF data is not followed, as in pycaffe.  Of several frames the first is
    taken.  TIFFs of float pixels give them as they are.

    filename: a path, or a stream open for reading bytes; an address of the web is not fetched, as some versions of
        scikit-image do
    color: False: 0.2125 red + 0.7154 green + 0.0721 blue
    Raises ImageError.
    """
    with _image(filename) as image:
        pixels = _pixels(image)
    if not color and pixels.ndim == 3:
        pixels = (pixels @ np.array(GREY)).astype(np.float32)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3 if color else 1, axis=2)
    return pixels


@contextlib.contextmanager
def _image(filename: str | BinaryIO) -> Iterator[Image.Image]:
    try:
        with contextlib.ExitStack() as stack:
            file: Any = filename if hasattr(filename, "read") else stack.enter_context(open(filename, "rb"))
            yield stack.enter_context(opened(file))
    except DataError as fault:
        raise ImageError(f"{_name(filename)}: {fault.message}") from None
    except OSError as fault:
        raise ImageError(f"{_name(filename)} can't be read: {fault.strerror or fault}") from None


def _name(filename: Any) -> str:
    return str(getattr(filename, "name", "an image") if hasattr(filename, "read") else filename)


def _pixels(image: Image.Image) -> Any:
    """(H, W) or (H, W, 3) float32, red first."""
    mode = image.mode
    if mode == "F":
        return np.asarray(image, np.float32)
    if mode.startswith("I"):
        # Pillow holds the 16 bits of some formats in 32.
        whole = 2**31 - 1 if mode == "I" and image.format == "TIFF" else 2**16 - 1
        return (np.asarray(image) / whole).astype(np.float32)
    if mode in ("1", "L"):
        image = image.convert("L")
    elif "A" in mode or "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow warns of going from a transparent palette to anything else
    else:
        image = image.convert("RGB")
    pixels = np.asarray(image)
    return np.divide(pixels[..., :3] if pixels.ndim == 3 else pixels, 255, dtype=np.float32)


def resize_image(im: Any, new_dims: Sequence[int], interp_order: int = 1) -> Any:
    """(h, w, K) float32 of an image (H, W, K) of any number type.

    With 1 or 3 channels as scikit-image's `resize(mode='constant')` of pycaffe's day: pixel centres are at half
    coordinates, there is no antialiasing, and beyond the border lies the image's least value, which an enlarged
    image fades to in its outermost half pixels.  With any other number of channels as scipy's `zoom`: corners lie on
    corners, integers are rounded; scipy gives 0 where rounding takes it past the last pixel, and we the pixel.  A
    constant image stays constant.

    new_dims: (h, w)
    interp_order: 0 nearest pixel, 1 bilinear; 2 to 5 are left to scikit-image and scipy, which must be installed
    Raises ArrayError.
    """
    image = np.asarray(im)
    height, width = _size(new_dims)
    if image.ndim != 3 or not image.size:
        raise ArrayError(f"an image to resize is (H, W, K), and this is an array of {size_text(image.shape)}")
    if image.shape[-1] not in (1, 3):
        return _zoom(image, height, width, interp_order)
    return _resize(image, height, width, interp_order, float(image.min())).astype(np.float32)


def resize(image: Any, output_shape: Sequence[int], order: int = 1, mode: str = "constant", cval: float = 0) -> Any:
    """scikit-image's `resize(mode='constant')` of pycaffe's day, which programs find as `caffe.io.resize`.

    image: (H, W) or (H, W, K), floats as they are, bytes taken as 0..255 for 0..1
    output_shape: (h, w), or (h, w, K) with the image's own K
    cval: what lies beyond the border
    Returns float64.  Raises ArrayError, for any other mode and number of axes too: `caffe.io.skimage` has those.
    """
    if mode != "constant":
        raise ArrayError(
            f"caffe.io.resize has the mode 'constant', not '{mode}'; caffe.io.skimage.transform.resize has"
        )
    pixels = np.asarray(image)
    if pixels.dtype == np.uint8:
        pixels = pixels / 255
    if pixels.ndim not in (2, 3) or not pixels.size or tuple(output_shape[2:]) not in ((), pixels.shape[2:]):
        raise ArrayError(f"an image of {size_text(pixels.shape)} can't be resized to {size_text(tuple(output_shape))}")
    height, width = _size(output_shape[:2])
    resized = _resize(pixels.reshape(*pixels.shape[:2], -1), height, width, order, cval)
    return resized.reshape(height, width, *pixels.shape[2:])


def _resize(image: Any, height: int, width: int, order: int, outside: float) -> Any:
    """(h, w, K) float64; `outside` is what lies beyond the border."""
    if order > 1:
        transform = _package("skimage.transform", "scikit-image", order)
        how = {"mode": "constant", "cval": outside, "preserve_range": True, "anti_aliasing": False}
        return transform.resize(image, (height, width), order, **how)
    rows, columns = (
        ((2 * np.arange(size) + 1) * have - size) / (2 * size)  # (i + 0.5) have / size - 0.5; rounded once, so ties tie
        for have, size in zip(image.shape[:2], (height, width), strict=True)
    )
    return _mixed(image, rows, columns, order, outside)


def _zoom(image: Any, height: int, width: int, order: int) -> Any:
    """(h, w, K) float32; the corners' centres stay where they are."""
    if order > 1:
        ndimage = _package("scipy.ndimage", "scipy", order)
        factors = (height / image.shape[0], width / image.shape[1], 1)
        return ndimage.zoom(image, factors, order=order).astype(np.float32)
    rows, columns = (
        np.linspace(0, have - 1, size) for have, size in zip(image.shape[:2], (height, width), strict=True)
    )
    mixed = _mixed(image, rows, columns, order, 0)
    if image.dtype.kind in "iu":
        mixed = np.trunc(mixed + np.copysign(0.5, mixed))
    return mixed.astype(np.float32)


def _mixed(image: Any, rows: Any, columns: Any, order: int, outside: float) -> Any:
    """(h, w, K) float64: the image at fractional coordinates, rows first and only those that are used."""
    top, bottom, v = _taps(rows, image.shape[0], order)
    left, right, u = _taps(columns, image.shape[1], order)
    v, u = v[:, :, None, None], u[:, :, None]
    across = image[top] * v[0] + image[bottom] * v[1] + outside * v[2]
    return across[:, left] * u[0] + across[:, right] * u[1] + outside * u[2]


def _taps(at: Any, size: int, order: int) -> tuple[Any, Any, Any]:
    """For each coordinate along an axis of `size`: the two pixels beside it, and (3, n) the weights of both and of what
    lies beyond the border.
    """
    first = np.floor(at if order else at + 0.5).astype(np.intp)
    share = at - first if order else np.zeros(len(at))
    weights = np.stack([np.where(first >= 0, 1 - share, 0), np.where(first + 1 < size, share, 0)])
    return first.clip(0, size - 1), (first + 1).clip(0, size - 1), np.stack([*weights, 1 - weights.sum(axis=0)])


def _package(module: str, package: str, order: int) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise DataError(f"interpolation of order {order} needs {package}: pip install {package}") from None


def _size(dims: Sequence[int]) -> tuple[int, int]:
    height, width = (int(size) for size in dims)
    if min(height, width) < 1:
        raise ArrayError(f"an image can't be resized to {height}x{width}")
    return height, width


def oversample(images: Iterable[Any], crop_dims: Sequence[int]) -> Any:
    """(10 N, h, w, K) float32: ten crops of each of N images (H, W, K), which are of one size.

    An image's crops are those at its top left, top right, bottom left, bottom right and centre, and then the same
    five mirrored.  Raises ArrayError.

    crop_dims: (h, w)
    """
    whole = [np.asarray(image) for image in images]
    height, width = (int(size) for size in crop_dims)
    if not whole or any(image.shape != whole[0].shape or image.ndim != 3 for image in whole):
        shapes = ", ".join(sorted({size_text(image.shape) for image in whole})) or "no image"
        raise ArrayError(f"oversample takes images (H, W, K) of one size, got {shapes}")
    if height > whole[0].shape[0] or width > whole[0].shape[1]:
        raise ArrayError(f"a crop of {height}x{width} does not fit an image of {size_text(whole[0].shape[:2])}")
    windows = ten_crops(whole[0].shape[:2], (height, width))
    crops = np.empty((len(whole), CROPS, height, width, whole[0].shape[2]), np.float32)
    for image, out in zip(whole, crops, strict=True):
        for place, (top, left, _, _, mirrored) in enumerate(windows):
            crop = image[top : top + height, left : left + width]
            out[place] = crop[:, ::-1] if mirrored else crop
    return crops.reshape(-1, *crops.shape[2:])
