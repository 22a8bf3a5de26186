"""Windows of images: how kernels are told of them, and what says which cell of each was taken."""

from __future__ import annotations

from typing import Any

import numpy as np

from netcli.arrays.call import Call
from netcli.arrays.cuda.device import WIDE, CudaDevice
from netcli.arrays.cuda.launch import Ports, accept, packed
from netcli.arrays.layout import Shape, count_of


class Windows:
    """Windows of images x of one shape, which give images y of another.

    places: a cell is to be told as its place h * W + w in the image; otherwise by its number in the window, where that
    goes in a byte.  All bits are set where there is none.
    """

    def __init__(
        self,
        card: CudaDevice,
        x_shape: Shape,
        y_shape: Shape,
        kernel: Shape,
        stride: Shape,
        pad: Shape,
        dtype: Any,
        places: bool = False,
    ) -> None:
        accept(dtype)
        self._card, self._dtype = card, np.dtype(dtype)
        self._shapes, self._counts = (x_shape, y_shape), (count_of(x_shape), count_of(y_shape))
        self._sizes = (*x_shape[2:], x_shape[1], *y_shape[2:], *kernel, *stride, *pad)
        self._packs = packed(x_shape[1])
        self.places = places or count_of(kernel) > 255
        place = np.int64 if max(self._counts) >= WIDE else np.int32
        self.cell_dtype = np.dtype(place if self.places else np.uint8)
        self.x, self.y = (Ports(card, shape, dtype) for shape in self._shapes)
        self.to_x, self.to_y = ((count, *self._sizes) for count in self._counts)  # the last numbers of a kernel

    def call(self, file: str, name: str, *ports: Any, packs: bool = False) -> Call:
        """A kernel with a thread for each item of what the last port takes; packs: for the channels of a pack."""
        threads = -(-count_of(ports[-1].shape) // (self._packs if packs else 1))
        return Call(self._card.kernel(file, name, self._dtype, items=threads, wide=max(self._counts)), ports)

    def spread(self) -> Call:
        """(dy, dx, cells) with the numbers `to_x`: the gradient goes to the cells that were taken."""
        return self.call("pool", "to_place" if self.places else "to_cell", self.y.read, self.x.written, packs=True)
