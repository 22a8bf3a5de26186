"""Blob: an array and its gradient, as Caffe has them, with memory that is taken late and can be shared."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.device import CPU, Device
from netcli.arrays.layout import Shape, count_of, same_order, view
from netcli.arrays.mirror import Mirror


class Buffer:
    """A stretch of memory that one blob or several look at.

    It knows how many items are wanted of it and takes them when first touched, unless a memory plan
    has given it a place in a larger stretch before.
    """

    __slots__ = ("array", "c_order", "count", "device", "dtype", "is_zero", "mirror", "shown")

    def __init__(self, dtype: Any, device: Device) -> None:
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.device = device
        self.count = 0
        self.array: Any = None
        self.c_order = False  # all that look at it see C-contiguous arrays; False: channels-last where they are 4-D
        self.is_zero = False  # to be read as zeros, whatever the memory holds
        self.shown = False  # a program may hold a view of it, see `Blob.show_data`
        self.mirror: Mirror | None = None  # what a program sees of it on the host, see Note [Mirrors]

    @property
    def is_seen(self) -> bool:
        """Whether a program may write to it at any time."""
        return self.shown or self.mirror is not None

    @property
    def nbytes(self) -> int:
        return self.count * int(self.dtype.itemsize)

    def want(self, count: int) -> None:
        """Ask for room for `count` items; room that is there already is kept.

        Of blobs that want different counts the largest gets its room, so that work space can be shared.
        """
        if self.array is not None and count > self.array.size:
            self.array = None
        self.count = max(count, self.count) if self.array is None else count
        if self.mirror is not None and self.count > self.mirror.count:
            self.mirror = None

    def place(self, flat: Any) -> None:
        """Look at `flat`, at least `count` items of the plan's memory, from now on."""
        self.array = flat

    def take(self) -> Any:
        if self.array is None:
            # Untouched blobs read as zeros, as in Caffe.
            self.array = self.device.zeros(self.count, self.dtype)
        return self.array

    def keep_order(self, old: Shape, new: Shape) -> None:
        """A blob is about to see it in another shape: what a program has seen stays in Caffe's order."""
        if (
            self.mirror is not None
            and self.mirror.is_older
            and self.array is not None
            and count_of(new) <= self.array.size
            and not (self.c_order or self.is_zero or same_order(old, new))
        ):
            self.look(old)

    def look(self, shape: Shape, whole: bool = False) -> Any:
        """Its mirror as an array of `shape`, for a program that may write to it; whole: and will, to all of it."""
        if self.mirror is None:
            count = self.count if self.array is None else max(self.count, self.array.size)
            self.mirror = Mirror(self.device, count, self.dtype)
            self.mirror.is_older = self.array is not None
        if self.is_zero:
            self.is_zero = False
            self.mirror.clear()
        elif self.mirror.is_older:
            if whole:
                self.mirror.is_older = False
            else:
                with self.device.current(), self.device.turn:
                    self.mirror.fetch(view(self.take(), shape, not self.c_order))
        self.mirror.is_newer = True
        return self.mirror.view(shape)


class Blob:
    """`data` and `diff`: two arrays of one shape, NumPy's on the CPU, the card's own on a card.

    4-D activations lie channels-last in memory, everything else C-contiguous (Note [Channels last]
    in arrays/layout.py).  Memory is taken at the first look at `data` or `diff`.

    parameter: C-contiguous at any rank; its diff accumulates until `clear_diff`.

    The order belongs to the `Buffer`, so that blobs that share memory agree.
    """

    def __init__(
        self,
        shape: Shape = (),
        dtype: Any = np.float32,
        *,
        parameter: bool = False,
        device: Device = CPU,
    ) -> None:
        self.device = device
        self.shape: Shape = (0,)
        self.data_buffer = Buffer(dtype, device)
        self.diff_buffer = Buffer(dtype, device)
        self.data_buffer.c_order = self.diff_buffer.c_order = parameter
        self._data: Any = None  # the views last handed out, and the memory they look at
        self._data_of: Any = None
        self._diff: Any = None
        self._diff_of: Any = None
        self.reshape(shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.data_buffer.dtype

    @property
    def count(self) -> int:
        return count_of(self.shape)

    def reshape(self, shape: Shape) -> None:
        """Take another shape; the memory is kept where it suffices, and its content then too."""
        shape = tuple(int(size) for size in shape)
        if shape != self.shape:
            for buffer in (self.data_buffer, self.diff_buffer):
                buffer.keep_order(self.shape, shape)
            self.shape = shape
            self._data = self._diff = None
        self.data_buffer.want(self.count)
        self.diff_buffer.want(self.count)

    def share_data(self, other: Blob) -> None:
        """Look at the other blob's data; the counts must agree."""
        self.data_buffer = other.data_buffer
        self._data = None

    def share_diff(self, other: Blob) -> None:
        """Look at the other blob's diff; the counts must agree."""
        self.diff_buffer = other.diff_buffer
        self._diff = None

    @property
    def data(self) -> Any:
        buffer = self.data_buffer
        if self._data is None or self._data_of is not buffer.array:
            self._data = view(buffer.take(), self.shape, not buffer.c_order)
            self._data_of = buffer.array
        if buffer.mirror is not None:
            buffer.mirror.hand_over(self._data)
        return self._data

    def _diff_view(self) -> Any:
        buffer = self.diff_buffer
        if self._diff is None or self._diff_of is not buffer.array:
            self._diff = view(buffer.take(), self.shape, not buffer.c_order)
            self._diff_of = buffer.array
        if buffer.mirror is not None:
            buffer.mirror.hand_over(self._diff)
        return self._diff

    @property
    def diff(self) -> Any:
        diff = self._diff_view()
        if self.diff_buffer.is_zero:
            self.diff_buffer.is_zero = False
            self.diff_buffer.array.fill(0)
        return diff

    def set_data(self, values: Any) -> None:
        """Put a number, or NumPy's array of the blob's shape and of any type, into `data`."""
        self.device.write(self.data, np.asarray(values, self.dtype))

    def host_data(self) -> Any:
        """`data` as NumPy's array: on the CPU itself."""
        return self.device.to_host(self.data)

    def host_diff(self) -> Any:
        """`diff` as NumPy's array: on the CPU itself."""
        return self.device.to_host(self.diff)

    def take_memory(self, flat: Any) -> bool:
        """Let `data` look at other memory, with its content; False, and nothing done, where that can't be.

        That is where a program looks at it, and on a card.
        flat: `count` items or more, in the order of an activation, NumPy's
        """
        buffer = self.data_buffer
        if buffer.c_order or buffer.shown or flat.dtype != buffer.dtype or self.device is not CPU:
            return False
        buffer.place(flat)
        buffer.is_zero = False
        return True

    def show_data(self) -> Any:
        """`data` for a program, which may reshape, flatten and keep what it gets, write to it, and read it later.

        From now on it lies C-contiguous at any rank, as do the blobs that look at the same memory, and what is done
        to it is done at once.  Values stay.
        """
        self._show(self.data_buffer)
        return self.data

    def show_diff(self) -> Any:
        """`diff` for a program; see `show_data`."""
        self._show(self.diff_buffer)
        return self.diff

    def mirror_data(self, whole: bool = False) -> Any:
        """`data` for a program as NumPy's array on any device, C-contiguous; on the CPU that of `show_data`.

        On a card it is a mirror, whose other side is newer or older by Note [Mirrors] in arrays/mirror.py.
        whole: the program is about to write to all of it, so that what there was need not be fetched
        """
        return self.show_data() if self.device is CPU else self.data_buffer.look(self.shape, whole)

    def mirror_diff(self, whole: bool = False) -> Any:
        """`diff` for a program; see `mirror_data`."""
        return self.show_diff() if self.device is CPU else self.diff_buffer.look(self.shape, whole)

    def hand_over(self) -> None:
        """Let a card have what a program has written, for work that does not look at `data` and `diff` each time."""
        for buffer in (self.data_buffer, self.diff_buffer):
            if buffer.mirror is not None:
                buffer.mirror.hand_over(view(buffer.take(), self.shape, not buffer.c_order))

    def _show(self, buffer: Buffer) -> None:
        if buffer.shown:
            return
        buffer.shown = True
        if buffer.c_order:
            return
        buffer.c_order = True
        if buffer.array is not None:
            values = view(buffer.array, self.shape, channels_last=True).copy()
            buffer.array = buffer.array[:]  # another object, so that no blob hands out a view it has kept
            view(buffer.array, self.shape, channels_last=False)[...] = values

    def clear_diff(self) -> None:
        """Make the diff zero, at no cost until it is looked at, unless a program is looking already at its memory."""
        buffer = self.diff_buffer
        buffer.is_zero = not (buffer.shown and buffer.array is not None)
        if not buffer.is_zero:
            buffer.array.fill(0)
        if buffer.mirror is not None:
            buffer.mirror.is_newer = False
            buffer.mirror.is_older = True

    def gradient(self) -> tuple[Any, bool]:
        """(diff, add): where a layer's backward puts a parameter's gradient, and whether it adds to it.

        add is False for the first gradient after `clear_diff`, which overwrites.  A parameter shared by
        two layers, and every pass of iter_size, sums this way; activations' diffs are overwritten instead.
        """
        add = not self.diff_buffer.is_zero
        self.diff_buffer.is_zero = False
        return self._diff_view(), add

    def add_gradient(self, value: Any) -> None:
        """Put a gradient that is at hand as an array where `gradient` says."""
        diff, add = self.gradient()
        if add:
            diff += value
        else:
            diff[...] = value

    def __repr__(self) -> str:
        return f"Blob{self.shape}"
