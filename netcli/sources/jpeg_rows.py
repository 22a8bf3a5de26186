"""The upper part of a JPEG alone: where no more of it is looked at, the rest need not be decoded.

Whoever decodes it is told that the image ends earlier: its height in the header is that of the blocks that are wanted.
What follows them is passed over.  The pixels are those of the whole image.
"""

from __future__ import annotations

from typing import NamedTuple

SEQUENTIAL = (0xC0, 0xC1)  # frames by Huffman's code whose blocks follow each other from the top, in one scan
OTHER_FRAMES = (0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
SCAN, END = 0xDA, b"\xff\xd9"
BLOCK = 8  # pixels
LEAST = 16  # of so many rows one must be saved, or it is not worth the while


class Frame(NamedTuple):
    """Where a header has the height, and how many rows of pixels are coded together; of 2 or more, they are mixed."""

    place: int
    rows: int


def upper_part(data: bytes | memoryview, height: int, rows: int) -> tuple[bytearray, int] | None:
    """A JPEG whose first `rows` rows of pixels are those of `data`, and its height; None where there is none.

    data: with an end, so that none that is cut off passes for whole
    height: of the image in `data`
    """
    frame = _frame(data) if bytes(data[-2:]) == END else None
    if frame is None:
        return None
    # Colours of half the rows are mixed from the row before and the one behind.
    needed = rows if frame.rows == BLOCK else rows + frame.rows // BLOCK
    least = -(-needed // frame.rows) * frame.rows
    if least * LEAST >= height * (LEAST - 1):
        return None
    part = bytearray(data)
    part[frame.place : frame.place + 2] = least.to_bytes(2, "big")
    return part, least


def _frame(data: bytes | memoryview) -> Frame | None:
    """None for what is not coded in one scan from the top."""
    at, found, colours = 2, None, 0
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind, length = data[at + 1], data[at + 2] << 8 | data[at + 3]
        if kind in OTHER_FRAMES:
            return None
        if kind in SEQUENTIAL:
            colours = data[at + 9]
            found = Frame(at + 5, BLOCK * max(data[at + 11 + 3 * i] & 15 for i in range(colours)))
        if kind == SCAN:
            return found if data[at + 4] == colours else None
        at += 2 + length
    return None
