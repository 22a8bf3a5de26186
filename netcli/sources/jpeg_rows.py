"""The upper part of a JPEG alone: where no more of it is looked at, the rest need not be decoded.

Whoever decodes it is told that the image ends earlier: its height in the header is that of the blocks that are wanted.
What follows them is passed over.  The pixels are those of the whole image.  One with markers where none belong is left
whole, so that it is refused as ever; other damage was never a fault, and is none here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

SEQUENTIAL = (0xC0, 0xC1)  # frames by Huffman's code whose blocks follow each other from the top, in one scan
OTHER_FRAMES = (0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0))
WITHOUT_LENGTH = (*range(0xC0), *range(0xD0, 0xDA), 0xFF)  # none of these has a place before the scan
SCAN, END = 0xDA, b"\xff\xd9"
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")  # in a scan: but for those at which decoding can begin anew
BLOCK = 8  # pixels
LEAST = 16  # of so many rows one must be saved, or it is not worth the while


class Frame(NamedTuple):
    """Where a header has the height, how many rows of pixels are coded together, and where the scan's data begin."""

    place: int
    rows: int
    begin: int


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
    end = MARKER.search(data, frame.begin)
    if end is None or end.start() < len(data) - 2:
        return None
    part = bytearray(data)
    part[frame.place : frame.place + 2] = least.to_bytes(2, "big")
    return part, least


def _frame(data: bytes | memoryview) -> Frame | None:
    """None for what is not coded in one scan from the top."""
    at, place, samplings = 2, 0, b""
    while at + 5 <= len(data) and data[at] == 0xFF:
        kind, behind = data[at + 1], at + 2 + (data[at + 2] << 8 | data[at + 3])
        if kind in OTHER_FRAMES or kind in WITHOUT_LENGTH:
            return None
        if kind in SEQUENTIAL:
            place, samplings = at + 5, bytes(data[at + 11 : behind : 3])
        if kind == SCAN:
            rows = BLOCK * max((each & 15 for each in samplings), default=0)
            return Frame(place, rows, behind) if rows and data[at + 4] == len(samplings) else None
        at = behind
    return None
