"""The upper part of a JPEG alone: where no more of it is looked at, the rest need not be decoded.

Whoever decodes it is told that the image ends earlier: its height in the header is that of the blocks that are wanted.
What follows them is passed over.  The pixels are those of the whole image.  What is seen to be damaged is left whole,
so that it is refused, or not, as ever.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

SEQUENTIAL = (0xC0, 0xC1)  # frames by Huffman's code whose blocks follow each other from the top, in one scan
OTHER_FRAMES = {0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}
RESTARTS = range(0xD0, 0xD8)  # within a scan, where decoding begins anew
WITHOUT_LENGTH = {*range(0xC0), *range(0xD0, 0xDA), 0xFF}  # none of these has a place before the scan
REFUSED = frozenset(OTHER_FRAMES | WITHOUT_LENGTH)
INTERVAL, SCAN, END = 0xDD, 0xDA, b"\xff\xd9"
BLOCK = 8  # pixels
LEAST = 16  # of so many rows one must be saved, or it is not worth the while
PASSED_OVER = re.compile(r"Corrupt JPEG data: \d+ extraneous bytes before marker 0x(d[0-79])")  # libjpeg's words


class Frame(NamedTuple):
    """What a header says.

    place     where it has the height
    rows      how many of pixels are coded together; of 2 blocks or more, they are mixed
    begin     where the scan's data begin
    restarts  whether these have markers within
    """

    place: int
    rows: int
    begin: int
    restarts: bool


class Part(NamedTuple):
    """data: a JPEG of its own, but for what is passed over; height: its rows of pixels; restarts: see `Frame`."""

    data: bytearray
    height: int
    restarts: bool

    def is_whole(self, fault: Exception) -> bool:
        """Whether a decoder that is strict has found no fault with it but that bytes are passed over to its end."""
        # The first warning is told, and what can't be decoded any more in its place.
        found = PASSED_OVER.fullmatch(str(fault))
        return found is not None and (self.restarts or found[1] == "d9")


def upper_part(data: bytes | memoryview, height: int, rows: int) -> Part | None:
    """A JPEG whose first `rows` rows of pixels are those of `data`; None where there is none.

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
    if frame.restarts and _has_others(data, frame.begin):
        return None
    part = bytearray(data)
    part[frame.place : frame.place + 2] = least.to_bytes(2, "big")
    return Part(part, least, frame.restarts)


def _has_others(data: bytes | memoryview, begin: int) -> bool:
    """Whether there are markers from `begin` on other than restarts and the end."""
    scan = np.frombuffer(data, np.uint8)[begin:]
    behind = scan[np.flatnonzero(scan[:-1] == 0xFF) + 1]
    is_restart = (behind >= RESTARTS.start) & (behind < RESTARTS.stop)
    return int(np.count_nonzero((behind != 0) & ~is_restart)) != 1


def _frame(data: bytes | memoryview) -> Frame | None:
    """None for what is not coded in one scan from the top."""
    at, place, samplings, restarts = 2, 0, b"", False
    while at + 5 <= len(data) and data[at] == 0xFF:
        kind, behind = data[at + 1], at + 2 + (data[at + 2] << 8 | data[at + 3])
        if kind in REFUSED:
            return None
        if kind in SEQUENTIAL:
            place, samplings = at + 5, bytes(data[at + 11 : behind : 3])
        if kind == INTERVAL:
            restarts = any(data[at + 4 : behind])
        if kind == SCAN:
            rows = BLOCK * max((each & 15 for each in samplings), default=0)
            return Frame(place, rows, behind, restarts) if rows and data[at + 4] == len(samplings) else None
        at = behind
    return None
