"""Numbers that change from one iteration to the next, while what is done with them stays the same.

On a card an iteration is recorded once and replayed (Note [Replay] in replay.py), so that a kernel reads such a
number from the card's memory, where it is set before each replay.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.device import CPU, Device


class Varying:
    """A number of one type; `array` holds it, without axes, on the device."""

    def __init__(self, value: float = 0, dtype: Any = np.float64, device: Device = CPU) -> None:
        self._device, self._host = device, np.zeros(1, dtype)
        self.array = device.zeros(1, dtype).reshape(())
        self._known = True
        self.value = value

    @property
    def value(self) -> Any:
        """Python's number."""
        return self._host[0].item()

    @value.setter
    def value(self, value: float) -> None:
        if self._host[0] != value or not self._known:
            self._host[0] = value
            self._known = True
            self._device.write(self.array, self._host[0])

    def follow(self, array: Any) -> None:
        """Let the device's own number count from now on: `array`, without axes, of this type; it is not known here."""
        self.array[...] = array
        self._known = False

    def __float__(self) -> float:
        return float(self._host[0])

    def __int__(self) -> int:
        return int(self._host[0])

    __index__ = __int__


Number = float | Varying  # what a plan takes for a number that may vary


class Cell:
    """Where a kernel finds a number that its plan is given: a `Varying`'s own place, or one kept for plain numbers."""

    def __init__(self, device: Device, dtype: Any = np.float64) -> None:
        self._own = Varying(0, dtype, device)

    def array(self, number: Number) -> Any:
        """The device's array that holds it."""
        if isinstance(number, Varying):
            return number.array
        self._own.value = number
        return self._own.array
