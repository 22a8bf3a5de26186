"""What a program on the host sees of an array of a device.

Note [Mirrors]: a program of pycaffe gets NumPy's arrays, wherever the net computes.  Of a blob on a card that is a
mirror: memory of the host in Caffe's order, which is taken at the first look and stays the blob's until that gets more
memory.  As with Caffe's SyncedMemory either side may be newer, and values go from one to the other when they are asked
for:

    the program looks        what the card has written since is fetched, and the mirror is newer from then on, for the
                             program may write to what it got
    a layer or solver looks  what is newer here is sent, and the mirror is older from then on, for the card may write

So a view that the program has kept shows the card's values after the next look at the blob, and what is written to it
reaches the card if there was a look at the blob since the card's last.  What only reads says so (`has_read`), that
inputs and weights need not be fetched again.  What lies behind the blob's present shape does not go over.
"""

from __future__ import annotations

from typing import Any

from netcli.arrays.device import Device
from netcli.arrays.layout import Shape, view


class Mirror:
    """The host's side of a stretch of a device's memory, of `count` items; both hold zeros at first.

    is_newer  the program may have written here since the device's last look
    is_older  the device may have written since the program's last look
    """

    __slots__ = ("_device", "_flat", "_views", "is_newer", "is_older")

    def __init__(self, device: Device, count: int, dtype: Any) -> None:
        self._device = device
        self._flat = device.host_memory(count, dtype)
        self._views: dict[Shape, Any] = {}  # the same object for a shape at each look
        self.is_newer = self.is_older = False
        self._flat.fill(0)

    @property
    def count(self) -> int:
        return int(self._flat.size)

    def view(self, shape: Shape) -> Any:
        """Its first items as an array."""
        if shape not in self._views:
            self._views[shape] = view(self._flat, shape, channels_last=False)
        return self._views[shape]

    def clear(self) -> None:
        """Hold zeros, as the device's memory is to be read."""
        self._flat.fill(0)
        self.is_older = False

    def fetch(self, array: Any) -> None:
        """Hold the device's values where those are newer."""
        if self.is_older:
            self._device.fetch(array, self.view(array.shape))
            self.is_older = False

    def hand_over(self, array: Any) -> None:
        """Let the device have what is newer here, and write from now on."""
        if self.is_newer:
            self._device.send(array, self.view(array.shape))
            self.is_newer = False
        self.is_older = True

    def has_read(self) -> None:
        """What the device was handed last it has only read."""
        self.is_older = False
