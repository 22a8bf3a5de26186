"""Where arrays lie that recordings work on; see Note [Replay] in arrays/replay.py."""

from __future__ import annotations

from collections.abc import Iterable

from netcli.blob import Blob


class Places:
    """Those of some blobs, at which a recording does not look."""

    def __init__(self, blobs: Iterable[Blob]) -> None:
        self._blobs = list({(id(blob.data_buffer), id(blob.diff_buffer)): blob for blob in blobs}.values())
        self._arrays = [_arrays(blob) for blob in self._blobs]

    def settle(self) -> bool:
        """Let a card have what a program has written, before a replay.

        Returns whether one lies elsewhere, or in another order, than at the last call: then nothing can be replayed.
        """
        moved = False
        for number, blob in enumerate(self._blobs):
            blob.hand_over()
            before, self._arrays[number] = self._arrays[number], _arrays(blob)
            moved |= any(
                old is not None and old is not new for old, new in zip(before, self._arrays[number], strict=True)
            )
        return moved


def _arrays(blob: Blob) -> tuple[object, object]:
    return blob.data_buffer.array, blob.diff_buffer.array
