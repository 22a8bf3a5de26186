"""Where oneDNN is, and its loading: once, at the first plan that asks.

The wheel `onednn-cpu-gomp` puts libdnnl.so.3 into sys.prefix/lib; it needs the system's libgomp.so.1.
Where anything is missing every body here declines with the same reason, one warning tells it, and the
plain bodies serve.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import logging
import os
import platform
import sys
import weakref
from typing import Any

from netcli.arrays import threads
from netcli.arrays.once import once
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.signal_stack import give_signals_their_own_stack
from netcli.arrays.onednn.signatures import SIGNATURES
from netcli.arrays.unsupported import Unsupported

WHEEL = "onednn-cpu-gomp"
FILE = "libdnnl.so.3"

# Equal layers of a net share generated code.  oneDNN would keep 1024, some 100 MB of shapes long gone in a net
# that is reshaped for every image.
CACHED_PRIMITIVES = 256


class OneDNNError(RuntimeError):
    """oneDNN answered a call with a status other than success."""

    def __init__(self, function: str, status: int) -> None:
        super().__init__(f"dnnl_{function}: {dnnl.STATUS.get(status, f'status {status}')}")


class Library:
    """The loaded library, with one CPU engine and one stream that stay for the life of the process.

    call     its functions, as `call.dnnl_engine_create`
    execute  primitive_execute once more, for arguments that are ctypes objects: a tenth faster
    path     of the shared library
    version  such as "3.2.0"
    isa      the instruction set its kernels use, such as "AVX-512 BF16"
    """

    def __init__(self, path: str) -> None:
        """Raises OSError where the file can't be loaded or is another version than this code was written for."""
        self.path = path
        threads.prepare_openmp()
        self.call = ctypes.CDLL(path, mode=os.RTLD_LOCAL)
        self.call.dnnl_version.restype = SIGNATURES["version"][0]
        found = self.call.dnnl_version().contents
        self.version = f"{found.major}.{found.minor}.{found.patch}"
        if (found.major, found.minor) != dnnl.VERSION:
            raise OSError(f"oneDNN {self.version} is there, {'.'.join(map(str, dnnl.VERSION))} is needed")
        for name, (result, arguments) in SIGNATURES.items():
            function = getattr(self.call, f"dnnl_{name}")
            function.restype, function.argtypes = result, arguments
        # The one function of the hot path, without conversion: it takes pointers and numbers as ctypes has them.
        self.execute = ctypes.CDLL(path, mode=os.RTLD_LOCAL).dnnl_primitive_execute
        self.isa = dnnl.ISA.get(self.call.dnnl_get_effective_cpu_isa(), "unknown")
        self.call.dnnl_set_primitive_cache_capacity(CACHED_PRIMITIVES)
        self.engine = self.new("engine_create", dnnl.CPU, 0)
        self.stream = self.new("stream_create", self.engine, dnnl.STREAM_IN_ORDER)

    def new(self, function: str, *args: Any) -> int:
        """The address of the object that a creating function makes; raises OneDNNError."""
        address = ctypes.c_void_p()
        status = getattr(self.call, f"dnnl_{function}")(ctypes.byref(address), *args)
        if status:
            raise OneDNNError(function, status)
        return int(address.value or 0)

    def own(self, owner: object, kind: str, address: int) -> int:
        """Destroy the object of this kind when its owner goes; gives the address back."""
        # At the interpreter's end the process frees all of it, and the library may be gone by then.
        weakref.finalize(owner, getattr(self.call, f"dnnl_{kind}_destroy"), address).atexit = False
        return address


def find() -> str:
    """The path of the shared library; raises Unsupported where the platform or the wheel has none."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise Unsupported(f"{WHEEL} is made for Linux on x86-64, not for {sys.platform} on {platform.machine()}")
    try:
        files = importlib.metadata.distribution(WHEEL).files or []
    except importlib.metadata.PackageNotFoundError:
        raise Unsupported(f"the package {WHEEL} is missing (pip install {WHEEL}==2023.2.0)") from None
    for file in files:
        if file.name == FILE:
            return str(file.locate())
    raise Unsupported(f"the package {WHEEL} is there without its {FILE} (pip install --force-reinstall {WHEEL})")


@once
def _load() -> Library | str:
    """The library, or why there is none; warns of that once."""
    try:
        loaded = Library(find())
        give_signals_their_own_stack()
        threads.onednn_serves(loaded.call.omp_set_num_threads)
        return loaded
    except Unsupported as missing:
        reason = str(missing)
    except OSError as fault:
        reason = str(fault)
        if "libgomp" in reason:
            reason = "the system's libgomp.so.1 is missing (Debian and Ubuntu: apt install libgomp1)"
    logging.getLogger("netcli").warning("oneDNN can't be used, slower NumPy bodies run instead: %s", reason)
    return reason


def library() -> Library:
    """The library, loaded at the first call; raises Unsupported with the reason where it can't be."""
    loaded = _load()
    if isinstance(loaded, str):
        raise Unsupported(loaded)
    return loaded
