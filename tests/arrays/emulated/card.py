"""The emulated card: kernels' texts compiled by g++ behind shim.h, launched over memory of the CPU."""

import contextlib
import ctypes
import functools
import getpass
import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from arrays.emulated import cudnn, fenced, xp
from netcli.arrays.cuda import source
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.device import Upload
from netcli.arrays.plain.bfloat16 import rounded

WARP = 32  # threads
SHIM = Path(__file__).with_name("shim.h")


def compiler():
    """The C++ compiler, or None."""
    return shutil.which("g++") or shutil.which("c++")


@functools.cache
def library(file, options):
    """The shared library of a text, kept from run to run."""
    if compiler() is None:
        pytest.skip("the emulated card needs a C++ compiler (apt install g++)")
    text = source.text(file)
    waits = "true" if "__sync" in text.code or "__shfl" in text.code else "false"
    code = SHIM.read_text() + text.code
    for name, parameters in text.kernels.items():
        types = [f"{each.type}{'*' if each.pointer else ''}" for each in parameters]
        given = ", ".join(f"*({kind}*)arguments[{i}]" for i, kind in enumerate(types))
        code += f"\nstatic void call_{name}(void** arguments) {{ {name}({given}); }}"
        code += (
            f'\nextern "C" void launch_{name}(unsigned blocks, unsigned threads, void** arguments)'
            f" {{ emulated::launch(call_{name}, {waits}, blocks, threads, arguments); }}\n"
        )
    folder = Path(tempfile.gettempdir()) / f"netcli-emulated-{getpass.getuser()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    digest = hashlib.sha256("\n".join((code, *options)).encode()).hexdigest()[:24]
    path = folder / f"{file}-{digest}.so"
    if not path.exists():
        own = folder / f"{path.name}.{os.getpid()}"
        flags = ["-std=c++17", "-O1", "-ffp-contract=off", "-fno-strict-aliasing", "-shared", "-fPIC", "-w"]
        subprocess.run(
            [compiler(), *flags, *options, "-x", "c++", "-", "-o", str(own)], input=code.encode(), check=True
        )
        own.replace(path)
    return ctypes.CDLL(str(path))


class EmulatedCard(CudaDevice):
    """Two multiprocessors, as if, so that every loop over a grid goes round."""

    xp = xp
    model = "emulated card"
    processors = 2
    memory = (6 << 30, 8 << 30)  # in bytes, free and in all
    taken = 0  # bytes, in all
    versions = "emulated"
    replayed = 0  # recordings, in all
    refusals = (xp.RefusedError,)

    def __init__(self):
        super().__init__()
        self._current = threading.local()
        self._current.depth = 1  # of the thread that makes it

    @contextlib.contextmanager
    def current(self):
        before = getattr(self._current, "depth", 0)
        self._current.depth = before + 1
        try:
            yield
        finally:
            self._current.depth = before

    def leave(self):
        """Another stream is current from now on, as behind CuPy's `with stream`."""
        self._current.depth = 0

    def _meet(self):
        """A thread asks for work."""
        assert getattr(self._current, "depth", 0), "a thread that has not made the card works outside of current()"

    def function(self, file, name, options):
        shuffles = "__shfl" in source.text(file).code
        launcher = getattr(library(file, options), f"launch_{name}")

        def call(blocks, threads, arguments):
            if shuffles and threads % WARP:
                raise ValueError(f"{name} exchanges numbers within warps of {WARP}, and is launched with {threads}")
            self._meet()
            if any(isinstance(each, np.ndarray) for each in arguments):
                raise TypeError("a kernel takes no array of NumPy")
            values = [np.uint64(each.pointer()) if isinstance(each, xp.DeviceArray) else each for each in arguments]
            held = [np.array(value) for value in values]
            pointers = (ctypes.c_void_p * len(held))(*(each.ctypes.data for each in held))

            def step():
                # As few blocks as still show whether a loop over the grid is right.
                launcher(min(blocks, 3), threads, pointers)
                for each in arguments:
                    if isinstance(each, xp.DeviceArray) and not fenced.is_whole(xp.host(each)):
                        raise AssertionError(f"{name} writes outside an array {xp.host(each).shape}")
                return held  # which it keeps alive

            xp.recording.do(step)

        return call

    def empty(self, count, dtype):
        self._meet()
        xp.recording.refuse("memory is taken")
        memory = fenced.memory(count, dtype)
        self.taken += memory.nbytes
        return xp.DeviceArray(memory)

    def zeros(self, count, dtype):
        self._meet()
        xp.recording.refuse("memory is taken")
        memory = fenced.memory(count, dtype)
        memory.fill(0)
        self.taken += memory.nbytes
        return xp.DeviceArray(memory)

    def from_host(self, array):
        self._meet()
        xp.recording.refuse("an array of the host is brought")
        return xp.DeviceArray(fenced.copy(array))

    def write(self, array, value):
        self._meet()
        xp.recording.refuse("a value of the host is written")
        xp.host(array)[...] = value

    def read(self, array, values):
        self._meet()
        xp.recording.refuse("a value is read")
        assert array.flags.c_contiguous
        assert values.flags.c_contiguous
        values[...] = xp.host(array)

    def pointer(self, array):
        return array.pointer()

    @property
    def cudnn(self):
        return cudnn, cudnn.create_handle()

    def upload(self, array, values, after):
        xp.host(array)[: values.size] = values  # another thread's, whatever is recorded meanwhile
        return Upload()

    def gemm(self, a, b, c, add=False, bf16=False):
        self._meet()
        for each in (a, b, c):
            assert each.ndim == 2
            assert each.flags.c_contiguous or each.T.flags.c_contiguous
        a, b, into = xp.host(a), xp.host(b), xp.host(c)

        def step():
            product = (rounded(a) if bf16 else a) @ (rounded(b) if bf16 else b)
            into[...] = into + product if add else product

        xp.recording.do(step)

    def record(self, work):
        assert xp.recording.steps is None
        xp.recording.steps = []
        try:
            work()
            steps = xp.recording.steps
        finally:
            xp.recording.steps = None

        def replay():
            self.replayed += 1
            for step in steps:
                step()

        return replay
