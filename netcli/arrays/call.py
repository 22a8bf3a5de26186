"""A kernel and the arrays it is called with.

Kernels work on flat arrays in the order of memory.  A call turns the arrays it is given into such, and remembers
them: with the same arrays again, as a net gives them until it is reshaped, the kernel is called at once.  An array
that lies otherwise gets memory beside it and is copied before or behind the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import is_not
from typing import Any

import numpy as np

from netcli.arrays.device import CPU, Device
from netcli.arrays.layout import Shape, count_of, view


class Port:
    """An array of a call: its shape, and what the kernel does with it.

    channels_last: 4-D arrays are to lie so, as activations do (Note [Channels last]); others in C order.
    optional: None may be given in its place.
    """

    def __init__(
        self,
        shape: Shape,
        *,
        is_read: bool = True,
        is_written: bool = False,
        channels_last: bool = True,
        optional: bool = False,
        dtype: Any = np.float32,
        device: Device = CPU,
    ) -> None:
        self.shape, self.dtype, self.device = shape, np.dtype(dtype), device
        self.is_read, self.is_written, self.optional = is_read, is_written, optional
        self.channels_last = channels_last and len(shape) == 4

    def check(self, array: Any) -> None:
        if array.shape != self.shape or array.dtype != self.dtype:
            raise ValueError(f"planned for {self.dtype} {self.shape}, got {array.dtype} {array.shape}")
        if self.is_written and not getattr(array.flags, "writeable", True):
            raise ValueError(f"the output {self.shape} is read-only")

    def flat(self, array: Any) -> Any:
        """The array as one axis in its planned order, looking at the same memory; None where it lies otherwise."""
        if not self.device.usable_by_kernels(array):
            return None
        if self.channels_last:
            array = array.transpose(0, 2, 3, 1)
        return array.reshape(-1) if array.flags.c_contiguous else None

    def stand_in(self) -> tuple[Any, Any]:
        """Memory in the planned order, flat and in the shape of the array."""
        memory = self.device.empty(count_of(self.shape), self.dtype)
        return memory, view(memory, self.shape, self.channels_last)


class Call:
    """A kernel with its arrays first and numbers behind; arrays are given in the order of the ports."""

    def __init__(self, kernel: Callable[..., Any], ports: Sequence[Port]) -> None:
        self._kernel, self._ports = kernel, ports
        self._arrays: tuple[Any, ...] = ()
        self._flats: list[Any] = []
        self._before: list[tuple[Any, Any]] = []  # (target, source) to be copied
        self._behind: list[tuple[Any, Any]] = []
        self._stand_ins: dict[int, tuple[Any, Any]] = {}  # by the number of the port, once it had one

    def run(self, arrays: tuple[Any, ...], *numbers: Any) -> Any:
        """Call the kernel; returns what it returns."""
        if not self._arrays or any(map(is_not, arrays, self._arrays)):
            self._bind(arrays)
        for target, source in self._before:
            target[...] = source
        result = self._kernel(*self._flats, *numbers)
        for target, source in self._behind:
            target[...] = source
        return result

    def _bind(self, arrays: tuple[Any, ...]) -> None:
        self._arrays, self._flats, self._before, self._behind = (), [], [], []
        for number, (port, array) in enumerate(zip(self._ports, arrays, strict=True)):
            if array is None and port.optional:
                self._flats.append(None)
                continue
            port.check(array)
            flat = port.flat(array)
            if flat is None:
                if number not in self._stand_ins:
                    self._stand_ins[number] = port.stand_in()
                flat, whole = self._stand_ins[number]
                if port.is_read:
                    self._before.append((whole, array))
                if port.is_written:
                    self._behind.append((array, whole))
            self._flats.append(flat)
        self._arrays = arrays
