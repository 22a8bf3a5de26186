"""Many images on one, each with a line of text below."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CELL = 96  # pixels, the side of an image's place unless it is told
GAP = 4
TEXT = 14  # pixels for the line below
GROUND, INK = 255, 0


def contact_sheet(images: Sequence[Any], captions: Sequence[str], columns: int, cell: int = CELL) -> Any:
    """(3, H, W) uint8, BGR: images (C, H, W), C 1, 3 or 4, in rows of `columns`, each brought to fit `cell` pixels.

    Small ones are enlarged by a whole number of times, so that their pixels are seen.  What is no uint8 is stretched
    from its least to its greatest value; of other channels the first is shown.
    """
    columns = max(1, min(columns, len(images)))
    rows = -(-len(images) // columns)
    step, down = cell + GAP, cell + GAP + TEXT
    sheet = Image.new("RGB", (columns * step + GAP, rows * down + GAP), (GROUND,) * 3)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default()
    for number, (image, caption) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(number, columns)
        x, y = GAP + column * step, GAP + row * down
        shown = _fitted(Image.fromarray(_rgb(image)), cell)
        sheet.paste(shown, (x + (cell - shown.width) // 2, y + (cell - shown.height) // 2))
        text = caption
        while text and draw.textlength(text, font) > cell:
            text = text[:-1]
        draw.text((x, y + cell + 1), text, (INK,) * 3, font)
    return np.asarray(sheet)[..., ::-1].transpose(2, 0, 1)


def as_bytes(image: Any) -> Any:
    """uint8: as it is, or stretched from the least to the greatest of its finite values."""
    if image.dtype == np.uint8:
        return image
    finite = np.isfinite(image)
    low, high = (image[finite].min(), image[finite].max()) if finite.any() else (0, 0)
    with np.errstate(invalid="ignore", over="ignore"):
        part = (image.astype(np.float64) - low) / max(float(high) - float(low), np.finfo(np.float32).tiny)
    return np.rint(np.nan_to_num(part, posinf=1, neginf=0).clip(0, 1) * 255).astype(np.uint8)


def _rgb(image: Any) -> Any:
    """(H, W, 3)."""
    image = as_bytes(image)
    image = image[2::-1] if len(image) in (3, 4) else np.repeat(image[:1], 3, axis=0)
    return np.ascontiguousarray(image.transpose(1, 2, 0))


def _fitted(image: Image.Image, cell: int) -> Image.Image:
    largest = max(image.size)
    if largest > cell:
        size = [max(1, round(side * cell / largest)) for side in image.size]
        return image.resize((size[0], size[1]), Image.Resampling.BOX)
    times = cell // largest
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
