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


class Block:
    """Memory of a pool, which has it back when the block is gone."""

    def __init__(self, pool, memory):
        self.pool, self.memory, self.size = pool, memory, len(memory)
        self.ptr = ctypes.addressof(ctypes.c_char.from_buffer(memory)) if memory else 0

    def __del__(self):
        self.pool.free.append(self.memory)


class UnownedMemory:
    """Memory that is there as long as its owner."""

    def __init__(self, ptr, size, owner, device_id):
        assert device_id == 0
        self.ptr, self.size, self.owner = ptr, size, owner


class MemoryPointer:
    device_id = 0

    def __init__(self, mem, offset):
        self.mem, self.ptr = mem, mem.ptr + offset


class Pool:
    """Of blocks of whole units; free: what nobody has, in its order."""

    def __init__(self):
        self.free = []

    def malloc(self, nbytes):
        size = -(-nbytes // 512) * 512
        for place, memory in enumerate(self.free):
            if len(memory) == size:
                del self.free[place]
                return MemoryPointer(Block(self, memory), 0)
        return MemoryPointer(Block(self, bytearray(size)), 0)

    def free_bytes(self):
        return 1 << 20


class PinnedMemory:
    """Of just so many bytes; limit: the most that there are."""

    limit = 1 << 30

    def __init__(self, size, flags):
        assert flags == 1
        if size > self.limit:
            raise CUDARuntimeError("cudaErrorMemoryAllocation: out of memory")
        self.bytes = bytearray(size)


def alloc_pinned_memory(size):
    """Of CuPy's pool."""
    return bytearray(1 << (size - 1).bit_length())


class Graph:
    def __init__(self, steps):
        self._steps, self.is_uploaded = steps, False

    def upload(self, stream):
        assert isinstance(stream, Stream)
        self.is_uploaded = True

    def launch(self, stream):
        assert self.is_uploaded
        assert isinstance(stream, Stream)
        for step in self._steps:
            step()


used = [None]  # the stream that is current; None: the default one


def get(array, stream=None, order="C", **_):
    """An array's `get`: where CuPy has to bring it into order the default stream is current behind it."""
    host = xp.host(array)
    if not (host.flags.c_contiguous or (order == "A" and host.flags.f_contiguous)):
        used[0] = None
    return host.copy()


class Stream:
    def __init__(self, non_blocking=False):
        assert non_blocking
        self.ptr = 7
        self._captures = False

    def use(self):
        used[0] = self
        return self

    def synchronize(self):
        xp.recording.refuse("the stream is waited for")

    def record(self):
        return Event()

    def wait_event(self, event):
        assert isinstance(event, Event)

    def begin_capture(self):
        assert xp.recording.steps is None
        xp.recording.steps, self._captures = [], True

    def end_capture(self):
        steps, xp.recording.steps, self._captures = xp.recording.steps, None, False
        return Graph(steps)

    def is_capturing(self):
        return self._captures


class Event:
    """Each a quarter of a second behind the one before; its time is known once it was waited for."""

    made = 0

    def __init__(self, block=False, disable_timing=False):
        Event.made += 1
        self.number, self.is_done = Event.made, False

    def synchronize(self):
        self.is_done = True

    def record(self, stream):
        assert isinstance(stream, Stream)


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
    busy = ()  # numbers of those that another process has for itself
    mem_info = (5 << 30, 8 << 30)

    def __init__(self, number):
        self.number = number

    def use(self):
        if self.number in self.busy:
            raise CUDARuntimeError("cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable")
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def memcpy(target, source, nbytes, kind, stream):
    assert (kind in (1, 2), stream) == (True, 7)  # to the card, and from it
    ctypes.memmove(target, source, nbytes)


def module(cards=1, capability=(9, 0), driver=13020):
    """The module, of a machine with so many cards; cards -1: that can't tell; driver 0: there is none."""

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
        driverGetVersion=lambda: driver,
        hostAllocPortable=1,
        memcpyHostToDevice=1,
        memcpyDeviceToHost=2,
        memcpyAsync=memcpy,
    )
    allocators = [None]

    @contextlib.contextmanager
    def using_allocator(malloc):
        allocators.append(malloc)
        try:
            yield
        finally:
            allocators.pop()

    cuda = SimpleNamespace(
        cublas=None,  # asked for so that its libraries are loaded
        runtime=runtime,
        driver=SimpleNamespace(CUDADriverError=type("CUDADriverError", (RuntimeError,), {})),
        Device=Device,
        Event=Event,
        Stream=Stream,
        MemoryPool=Pool,
        MemoryPointer=MemoryPointer,
        UnownedMemory=UnownedMemory,
        alloc_pinned_memory=alloc_pinned_memory,
        PinnedMemory=PinnedMemory,
        PinnedMemoryPointer=lambda memory, offset: memory.bytes,
        get_elapsed_time=get_elapsed_time,
        get_current_stream=lambda: used[0],
        nvtx=Nvtx(),
        set_allocator=lambda malloc: allocators.__setitem__(0, malloc),
        using_allocator=using_allocator,
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
    )

    def empty(count, dtype):
        nbytes = int(np.prod(count)) * np.dtype(dtype).itemsize
        if nbytes > 1 << 30:
            raise OutOfMemoryError
        pointer = allocators[-1](nbytes)
        memory = (ctypes.c_char * nbytes).from_address(pointer.ptr)
        memory.pointer = pointer
        return xp.DeviceArray(np.frombuffer(memory, dtype).reshape(count))

    return SimpleNamespace(
        __version__="14.2.0",
        cuda=cuda,
        empty=empty,
        empty_like=lambda array: xp.DeviceArray(np.empty(array.shape, array.dtype)),
        asarray=lambda array: xp.DeviceArray(np.array(array)),
    )
