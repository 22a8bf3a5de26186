"""A module in the place of CuPy for `netcli.arrays.cuda.card`: its calls over memory of the CPU.

Arrays are those of xp.py, with what of CuPy's arrays only card.py looks at: where they lie.
"""

import contextlib
import ctypes
from types import SimpleNamespace

import numpy as np

from arrays.emulated import xp


class CUDARuntimeError(RuntimeError):
    """As CuPy's."""


class OutOfMemoryError(MemoryError):
    """As CuPy's."""


class Pool:
    def malloc(self, size):
        raise NotImplementedError

    def free_bytes(self):
        return 1 << 20


class Stream:
    def __init__(self, non_blocking=False):
        assert non_blocking
        self.ptr = 7

    def use(self):
        return self

    def synchronize(self):
        pass

    def record(self):
        return Event()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


class Event:
    """Each a quarter of a second behind the one before; its time is known once it was waited for."""

    made = 0

    def __init__(self):
        Event.made += 1
        self.number, self.is_done = Event.made, False

    def synchronize(self):
        self.is_done = True


def get_elapsed_time(start, end):
    assert end.is_done
    return 250.0 * (end.number - start.number)


class Nvtx:
    """What was pushed and popped."""

    def __init__(self):
        self.told = []

    def RangePush(self, name):  # noqa: N802 (CuPy's name)
        self.told.append(name)

    def RangePop(self):  # noqa: N802
        self.told.append(None)


class Device:
    mem_info = (5 << 30, 8 << 30)

    def __init__(self, number):
        self.number = number

    def use(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def _memcpy(target, source, nbytes, kind, stream):
    assert (kind, stream) == (1, 7)
    ctypes.memmove(target, source, nbytes)


def module(cards=1, capability=(9, 0)):
    """The module, of a machine with so many cards."""

    def count():
        if cards < 0:
            raise CUDARuntimeError("cudaErrorInsufficientDriver: the driver is older than the runtime\nand more")
        return cards

    properties = {"name": b"NVIDIA Fake", "major": capability[0], "minor": capability[1], "multiProcessorCount": 2}
    runtime = SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDeviceCount=count,
        getDeviceProperties=lambda number: properties,
        runtimeGetVersion=lambda: 13010,
        driverGetVersion=lambda: 13020,
        memcpyHostToDevice=1,
        memcpyAsync=_memcpy,
    )
    cuda = SimpleNamespace(
        cublas=None,  # asked for so that its libraries are loaded
        runtime=runtime,
        driver=SimpleNamespace(CUDADriverError=type("CUDADriverError", (RuntimeError,), {})),
        Device=Device,
        Stream=Stream,
        MemoryPool=Pool,
        get_elapsed_time=get_elapsed_time,
        nvtx=Nvtx(),
        set_allocator=lambda malloc: None,
        using_allocator=lambda malloc: contextlib.nullcontext(),
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    )

    def empty(count, dtype):
        if np.prod(count) * np.dtype(dtype).itemsize > 1 << 30:
            raise OutOfMemoryError
        return xp.DeviceArray(np.empty(count, dtype))

    return SimpleNamespace(
        __version__="14.2.0",
        cuda=cuda,
        empty=empty,
        empty_like=lambda array: xp.DeviceArray(np.empty(array.shape, array.dtype)),
        asarray=lambda array: xp.DeviceArray(np.array(array)),
    )
