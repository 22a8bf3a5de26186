"""Whether an LMDB's file holds every page that its tree refers to.

LMDB maps its file into memory, and a page that the file ends before kills the process with SIGBUS.  A
copy that was cut off must therefore be found by reading the file, before it is mapped.  A sound database
may be shorter than its page count says, for its last pages may be free and never written; such a file
is known by walking the tree.

The layout is LMDB 0.9's, on a 64-bit little-endian machine (mdb.c): pages of one size, each with a header
of 16 bytes; pages 0 and 1 hold the two states of the database, of which the one with the higher
transaction number counts.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

from netcli.errors import DataError

MAGIC = 0xBEEFC0DE
VERSION = 1
BRANCH, LEAF = 0x01, 0x02  # flags of a page
BIG = 0x01  # flag of a node: its data lie on overflow pages
EMPTY = 2**64 - 1  # root of a tree without records
HEADER = 16  # bytes before a page's content

_HEADER = struct.Struct("<QHHHH")  # page number, unused, flags, end of the node pointers, start of the nodes
_NODE = struct.Struct("<HHHH")  # low and high half of size or page number, flags or its third part, key size
_PAGE_NUMBER = struct.Struct("<Q")
_TREE = "IHHQQQQQ"  # page size or unused, flags, depth, branch pages, leaf pages, overflow pages, entries, root
_META = struct.Struct(f"<IIQQ{_TREE}{_TREE}QQ")  # magic, version, address, map size, free list, main tree, last, number


@dataclass(frozen=True)
class State:
    """What a meta page says of the database."""

    map_size: int  # bytes the file may grow to
    page_size: int  # bytes
    depth: int
    root: int
    last_page: int
    transaction: int


def check_file(path: str) -> None:
    """Raise DataError unless `path` is an LMDB's data file that holds all the pages in use."""
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        state = _state(path, file.fileno(), size)
        if size < (state.last_page + 1) * state.page_size and state.root != EMPTY:
            try:
                _walk(path, file.fileno(), size, state)
            except struct.error:
                raise DataError(f"{path} is damaged: a page of its tree has nodes beyond its end") from None


def map_size(path: str) -> int:
    """Bytes that the LMDB with this data file may grow to, as its last writer had it; raises DataError."""
    with open(path, "rb", buffering=0) as file:
        return _state(path, file.fileno(), os.fstat(file.fileno()).st_size).map_size


def _meta(file: int, offset: int) -> State | None:
    page = os.pread(file, _META.size, offset + HEADER)
    if len(page) < _META.size:
        return None
    fields = _META.unpack(page)
    if fields[0] != MAGIC or fields[1] != VERSION:
        return None
    return State(fields[3], fields[4], fields[14], fields[19], fields[20], fields[21])


def _state(path: str, file: int, size: int) -> State:
    if size == 0:
        raise DataError(f"{path} is empty: it was never written, or its copy failed")
    first = _meta(file, 0)
    if first is None or not 256 <= first.page_size <= 65536 or first.page_size & (first.page_size - 1):
        raise DataError(f"{path} is not the data file of an LMDB that this machine can read")
    if size < 2 * first.page_size:
        raise DataError(f"{path} is cut off after {size} bytes, within its header; copy or make it again")
    second = _meta(file, first.page_size)
    return first if second is None or first.transaction >= second.transaction else second


def _walk(path: str, file: int, size: int, state: State) -> None:
    """Visit every page of the main tree and see that it, and the overflow pages it names, lie in the file."""
    page_size, pages = state.page_size, size // state.page_size
    to_visit = [(state.root, 1)]
    visited = 0
    while to_visit:
        number, depth = to_visit.pop()
        visited += 1
        if number >= pages:
            raise _cut_off(path, size, number, page_size)
        page = os.pread(file, page_size, number * page_size)
        _, _, flags, lower, _ = _HEADER.unpack_from(page)
        if not flags & (BRANCH | LEAF) or depth > state.depth or visited > pages:
            raise DataError(f"{path} is damaged: page {number} is not where its tree can hold it")
        for pointer in struct.unpack_from(f"<{(lower - HEADER) // 2}H", page, HEADER):
            low, high, node_flags, key_size = _NODE.unpack_from(page, pointer)
            if flags & BRANCH:
                to_visit.append((low | high << 16 | node_flags << 32, depth + 1))
            elif node_flags & BIG:
                (start,) = _PAGE_NUMBER.unpack_from(page, pointer + _NODE.size + key_size)
                last = start + (HEADER - 1 + (low | high << 16)) // page_size
                if last >= pages:
                    raise _cut_off(path, size, last, page_size)


def _cut_off(path: str, size: int, page: int, page_size: int) -> DataError:
    return DataError(
        f"{path} is cut off: it ends after {size} bytes, and page {page} of its tree would end at byte "
        f"{(page + 1) * page_size}; copy or make it again"
    )
