"""Whether a LevelDB's log, the file of what was written last, ends where one of its writes ends.

A program that closes a LevelDB leaves the last records in the log, of a small database all of them, and the next
that opens it makes a table of them.  LevelDB takes a log that ends in the middle of a write for what a crash left:
it drops that write, and the records of those behind it were never there.  Of a copy that was cut off these are
records lost without a word, so the end is looked at before.

The layout is LevelDB's log_format.h: blocks of 32 KB, filled with fragments of a header of 7 bytes (checksum, length,
kind) and the content.
"""

from __future__ import annotations

import os
import struct

from netcli.errors import DataError

BLOCK = 32768  # bytes
FULL, LAST = 1, 4  # kinds of fragments that end a write; 2 and 3 are the first and the middle ones

_HEADER = struct.Struct("<IHB")


def check_log(path: str) -> None:
    """Raise DataError where the log is cut off."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        offset, kind = 0, LAST
        while offset < size:
            room = BLOCK - offset % BLOCK
            if room < _HEADER.size:  # too little for a header is left empty
                offset += room
                continue
            header = os.pread(file.fileno(), _HEADER.size, offset)
            if len(header) < _HEADER.size:
                raise _cut_off(path, size)
            checksum, length, found = _HEADER.unpack(header)
            if not checksum and not length and not found:  # space that was reserved and never written
                break
            offset, kind = offset + _HEADER.size + length, found
    if offset > size or kind not in (FULL, LAST):
        raise _cut_off(path, size)


def _cut_off(path: str, size: int) -> DataError:
    return DataError(f"{path} is cut off: it ends after {size} bytes, in the middle of a write; copy or make it again")
