"""A card of NVIDIA's, by CuPy: its stream, its kernels, its products.

CuPy is imported when a card is asked for, and nothing here before.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from netcli.arrays.cuda import source
from netcli.arrays.cuda.cublaslt import BFLOAT16, FLOAT32, FLOAT64, TF32, CublasLt
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.cuda.pinned import pinned
from netcli.arrays.cuda.recording import Recording
from netcli.arrays.device import Upload
from netcli.errors import NetcliError

PRODUCTS_WORKSPACE = 32 << 20  # bytes: what NVIDIA recommends for Hopper, and more than older cards ask for
KERNELS = 256 << 20  # bytes: about what the code of kernels takes, ours and libraries', as they are first launched
OLDEST = (8, 0)  # compute capability: Ampere, the first with TF32 and bfloat16 products

log = logging.getLogger("netcli")


def cupy() -> Any:
    """The module; raises NetcliError where it is missing or broken."""
    try:
        return importlib.import_module("cupy")
    except ImportError as fault:
        if isinstance(fault, ModuleNotFoundError) and fault.name == "cupy":
            raise NetcliError(
                "the GPU engine needs CuPy: pip install 'netcli[gpu]', or 'netcli[gpu-cuda12]' for a driver of CUDA 12"
            ) from None
        raise NetcliError(f"CuPy can't be used: {fault}") from None
    except OSError as fault:  # it makes the folder when it is imported
        raise NetcliError(
            f"CuPy can't keep the kernels it compiles in {fault.filename} ({fault.strerror}); CUPY_CACHE_DIR names "
            "another folder"
        ) from None


def count() -> int:
    """How many cards there are; raises NetcliError where CuPy or a driver is missing."""
    module = cupy()
    try:
        return int(module.cuda.runtime.getDeviceCount())
    except module.cuda.runtime.CUDARuntimeError as fault:
        # Without a driver CUDA says that it is too old.
        reason = _first_line(fault) if module.cuda.runtime.driverGetVersion() else "no driver of NVIDIA's is loaded"
        raise NetcliError(f"no card can be used: {reason}") from None


class Card(CudaDevice):
    """Card `number`, as CUDA counts them; raises NetcliError where it can't be used.

    All work goes through one stream of its own, in turn; `current` makes it CuPy's for a thread.
    """

    own_nbytes = PRODUCTS_WORKSPACE + KERNELS

    def __init__(self, number: int) -> None:
        super().__init__()
        self._cupy = self.xp = cupy()
        runtime = self._cupy.cuda.runtime
        found = count()
        if not 0 <= number < found:
            has = "there is none" if not found else "there is one, card 0" if found == 1 else f"they are 0..{found - 1}"
            raise NetcliError(f"there is no card {number}: {has}")
        self.number = number
        self._device = self._cupy.cuda.Device(number)
        try:
            self._device.use()  # which fails where others have it for themselves, or all of its memory
            self.stream = self._cupy.cuda.Stream(non_blocking=True)
        except runtime.CUDARuntimeError as fault:
            raise NetcliError(f"card {number} can't be used: {_first_line(fault)}") from None
        properties = runtime.getDeviceProperties(number)
        self.model = properties["name"].decode()
        self.capability: tuple[int, int] = (properties["major"], properties["minor"])
        if self.capability < OLDEST:
            has, needs = (".".join(map(str, version)) for version in (self.capability, OLDEST))
            raise NetcliError(
                f"card {number}, {self.model}, has compute capability {has}; netcli needs {needs} or more"
            )
        self.processors = int(properties["multiProcessorCount"])
        self.stream.use()
        self._copies = self._cupy.cuda.Stream(non_blocking=True)  # what is brought while the other computes
        self._pool = self._cupy.cuda.MemoryPool()
        self._cupy.cuda.set_allocator(self._pool.malloc)
        self.refusals = (RuntimeError,)  # CUDA's faults and CuPy's own are such

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        with self._device:
            before = self._cupy.cuda.get_current_stream()
            self.stream.use()
            try:
                yield
            finally:  # not by `with self.stream`, which forgets that a stream was used before it
                before.use()

    @functools.cached_property
    def versions(self) -> str:  # type: ignore[override]
        """Of what computes on the card."""
        runtime = self._cupy.cuda.runtime
        found = runtime.runtimeGetVersion(), runtime.driverGetVersion()
        cuda, driver = (f"{version // 1000}.{version % 1000 // 10}" for version in found)
        names = [f"CuPy {self._cupy.__version__}", f"CUDA {cuda} (driver {driver})"]
        with contextlib.suppress(ImportError):
            names.append(f"cuDNN {self.cudnn[0].backend_version_string()}")
        return ", ".join(names)

    # -- memory

    def empty(self, count: int, dtype: Any) -> Any:
        with self.turn, self._out_of_memory(count * np.dtype(dtype).itemsize):
            self._refuse("memory is taken")
            return self._cupy.empty(count, dtype)

    def zeros(self, count: int, dtype: Any) -> Any:
        with self.turn:
            array = self.empty(count, dtype)
            array.fill(0)
            return array

    @property
    def memory(self) -> tuple[int, int]:
        """Bytes that are free on the card, and that it has."""
        free, total = self._device.mem_info
        return int(free) + int(self._pool.free_bytes()), int(total)

    @contextlib.contextmanager
    def _out_of_memory(self, wanted: int) -> Iterator[None]:
        try:
            yield
        except self._cupy.cuda.memory.OutOfMemoryError:
            free, total = self.memory
            raise NetcliError(
                f"card {self.number} has {free >> 20} MiB free of {total >> 20}, and {wanted >> 20} MiB more are wanted"
            ) from None

    def _refuse(self, what: str) -> None:
        """Raise a refusal while work is recorded: a copy of now would be repeated, memory taken would not last."""
        if self.stream.is_capturing():
            raise RuntimeError(f"{what} while a card records")

    def from_host(self, array: Any) -> Any:
        with self.turn:
            self._refuse("an array of the host is brought")
            there = self._cupy.empty_like(array)
            self.write(there, array)
            return there

    def write(self, array: Any, value: Any) -> None:
        with self.turn:
            self._refuse("a value of the host is written")
            self._write(array, value)

    def _write(self, array: Any, value: Any) -> None:
        value = np.asarray(value, array.dtype)
        if not value.ndim:  # goes with the call
            array.fill(value[()])
            return
        if array.flags.c_contiguous and array.shape == value.shape:
            there, here = array, np.ascontiguousarray(value)
        elif array.ndim == 4 and array.shape == value.shape and array.transpose(0, 2, 3, 1).flags.c_contiguous:
            there, here = array.transpose(0, 2, 3, 1), np.ascontiguousarray(value.transpose(0, 2, 3, 1))
        else:
            array[...] = self._cupy.asarray(value)
            return
        self._copy(there, here, self.stream)
        self.stream.synchronize()  # the value may change on return; pinned memory, if not all, is read behind the call

    def _copy(self, there: Any, here: Any, stream: Any) -> None:
        runtime = self._cupy.cuda.runtime
        runtime.memcpyAsync(there.data.ptr, here.ctypes.data, here.nbytes, runtime.memcpyHostToDevice, stream.ptr)

    def read(self, array: Any, values: Any) -> None:
        self._refuse("a value is read")
        runtime = self._cupy.cuda.runtime
        copy = values.ctypes.data, array.data.ptr, values.nbytes, runtime.memcpyDeviceToHost, self.stream.ptr
        runtime.memcpyAsync(*copy)
        self.stream.synchronize()

    def host_memory(self, count: int, dtype: Any) -> Any:
        with self._device:
            return pinned(self._cupy.cuda, count, dtype)

    def fence(self) -> Any:
        return self._event(self.stream)

    def upload(self, array: Any, values: Any, after: Any) -> Upload:
        # On a stream of its own, which goes on beside what another thread records.
        with self._device:
            self._copies.wait_event(after)
            self._copy(array, values, self._copies)
            return _Upload(self._event(self._copies), self.stream, values)

    def _event(self, stream: Any) -> Any:
        """The work that a stream has been given so far; who waits for it leaves the processor to others."""
        event = self._cupy.cuda.Event(block=True, disable_timing=True)
        event.record(stream)
        return event

    def synchronize(self) -> None:
        self.stream.synchronize()

    def mark(self) -> Any:
        return self.stream.record()

    def between(self, start: Any, end: Any) -> float:
        end.synchronize()
        return float(self._cupy.cuda.get_elapsed_time(start, end)) / 1000

    @contextlib.contextmanager
    def named(self, name: str) -> Iterator[None]:
        """A range of NVTX, which NVIDIA's profilers show."""
        nvtx = self._cupy.cuda.nvtx
        nvtx.RangePush(name)
        try:
            yield
        finally:
            nvtx.RangePop()

    # -- work

    def function(self, file: str, name: str, options: tuple[str, ...]) -> Callable[..., None]:
        kernel = self._module(file, options).get_function(name)

        def call(blocks: int, threads: int, arguments: Any) -> None:
            kernel((blocks,), (threads,), tuple(arguments))

        return call

    @functools.cache  # noqa: B019 (a card lives as long as the process)
    def _module(self, file: str, options: tuple[str, ...]) -> Any:
        return self._cupy.RawModule(code=source.text(file).code, options=("--std=c++17", *options))

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        with self.turn:
            return Recording(self._cupy, self.stream, self._pool, work)

    @functools.cached_property
    def cudnn(self) -> tuple[Any, Any]:
        try:
            module = importlib.import_module("cudnn")
            handle = module.create_handle()
            module.set_stream(handle, self.stream.ptr)
        except (ImportError, OSError, RuntimeError) as fault:
            raise ImportError(_first_line(fault)) from None
        return module, handle

    def pointer(self, array: Any) -> int:
        return int(array.data.ptr)

    @functools.cached_property
    def _multiply(self) -> CublasLt:
        """Products of arrays, in memory that cuBLASLt need not ask for."""
        try:
            _ = self._cupy.cuda.cublas  # which looks for the libraries where their wheels put them, and loads both
            library = ctypes.CDLL(f"libcublasLt.so.{self._cupy.cuda.runtime.runtimeGetVersion() // 1000}")
        except (ImportError, OSError) as fault:
            raise NetcliError(f"cuBLAS can't be loaded: {_first_line(fault)}") from None
        self._products_memory = self.empty(PRODUCTS_WORKSPACE, np.uint8)
        return CublasLt(library, self.stream.ptr, self._products_memory.data.ptr, PRODUCTS_WORKSPACE)

    def gemm(self, a: Any, b: Any, c: Any, add: bool = False, bf16: bool = False) -> None:
        if not c.size:
            return
        if not a.shape[1]:
            if not add:
                c.fill(0)
            return
        if not c.flags.c_contiguous:
            a, b, c = b.T, a.T, c.T
        kind = FLOAT64 if c.dtype == np.float64 else TF32 if self.tf32 else FLOAT32
        if bf16 and c.dtype == np.float32:
            a, b, kind = self.bfloat16(0, a), self.bfloat16(1, b), BFLOAT16
        self._multiply(kind, a, b, c, add, self.deterministic)


class _Upload(Upload):
    """Its values stay in memory until nobody asks any more."""

    def __init__(self, event: Any, stream: Any, values: Any) -> None:
        self._event, self._stream, self._values = event, stream, values

    def wait(self) -> None:
        self._event.synchronize()

    def join(self) -> None:
        self._stream.wait_event(self._event)


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0]
