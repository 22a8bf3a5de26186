"""A picture of samples: in each row an image and what is made of it, with words under each."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SIDE = 160  # pixels, unless another side is asked for
MARGIN = 8
PAPER, INK = (255, 255, 255), (0, 0, 0)

Picture = tuple[Any, str]  # (C, H, W) uint8, 1 channel or 3 (BGR), and the words under it


def sheet(rows: Iterable[Iterable[Picture]], side: int = SIDE) -> Image.Image:
    """All pictures in a grid, small ones enlarged by a whole number, so that their pixels stay to be seen.

    side: pixels that a picture is wide or high at least, where whole numbers times its size allow; at most twice that
    """
    font = ImageFont.load_default()
    cells = [[(_enlarged(image, side), text) for image, text in row] for row in rows]
    width = max(image.width for row in cells for image, _ in row)
    texts = [[wrapped(text, width, font.getlength) for _, text in row] for row in cells]
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    line = draw.multiline_textbbox((0, 0), "Ay\nAy", font)[3] / 2 + 2
    heights = [
        max(image.height for image, _ in row) + MARGIN // 2 + int(line * max(len(lines) for lines in words))
        for row, words in zip(cells, texts, strict=True)
    ]
    columns = max(len(row) for row in cells)
    size = (MARGIN + columns * (width + MARGIN), MARGIN + sum(heights) + MARGIN * len(heights))
    paper = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(paper)
    top = MARGIN
    for row, words, height in zip(cells, texts, heights, strict=True):
        for column, ((image, _), lines) in enumerate(zip(row, words, strict=True)):
            left = MARGIN + column * (width + MARGIN)
            paper.paste(image, (left, top))
            draw.multiline_text((left, top + image.height + MARGIN // 2), "\n".join(lines), INK, font, spacing=2)
        top += height + MARGIN
    return paper


def _enlarged(image: Any, side: int) -> Image.Image:
    pixels = image[0] if len(image) == 1 else image[::-1].transpose(1, 2, 0)
    picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
    longest = max(picture.size)
    if longest > 2 * side:
        picture.thumbnail((2 * side, 2 * side))
        return picture
    times = max(1, side // longest)
    return picture.resize((picture.width * times, picture.height * times), Image.Resampling.NEAREST)


def wrapped(text: str, width: float, length: Any) -> list[str]:
    """The words of a text in lines of a width; length: of a text, in the same unit."""
    lines: list[str] = []
    for word in text.split():
        if lines and length(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
