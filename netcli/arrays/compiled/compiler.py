"""Numba: loaded when a body of this room is first asked for, and what it compiled, which is kept on disk.

Where numba is missing or broken every body here declines with the same reason, one warning tells it, and the
plain bodies serve.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from netcli.arrays import threads
from netcli.arrays.layout import Shape
from netcli.arrays.once import once
from netcli.arrays.unsupported import Unsupported

# Items from which on several threads are faster than one, whether or not other programs want the processors too.
# Measured on two quiet ones a solver's update costs the same both ways at 30,000 items, a gradient of two arrays at
# 60,000: to wake the other thread takes about 4 us.
PARALLEL_FROM = 1 << 16

LOCK = "netcli.lock"  # beside the compiled code

Kernel = Callable[..., Any]


@once
def _load() -> Any:
    """The module numba, or why it can't be used; warns of that once."""
    threads.prepare_openmp()
    if "numba" not in sys.modules:  # numba reads these when it is imported, and refuses later changes
        os.environ.setdefault("NUMBA_THREADING_LAYER", "omp")
        os.environ.setdefault("NUMBA_NUM_THREADS", str(max(threads.thread_count(), threads.usable_cpus())))
    try:
        return importlib.import_module("numba")
    except ImportError as fault:
        missing = isinstance(fault, ModuleNotFoundError) and fault.name == "numba"
        reason = "the package numba is missing (pip install numba)" if missing else f"numba can't be used: {fault}"
    except Exception as fault:  # its parts come as compiled libraries, which fail in many ways
        reason = f"numba can't be used: {fault}"
    logging.getLogger("netcli").warning("slower NumPy bodies run in place of compiled kernels: %s", reason)
    return reason


def numba() -> Any:
    """The module, imported at the first call; raises Unsupported with the reason where it can't be."""
    loaded = _load()
    if isinstance(loaded, str):
        raise Unsupported(loaded)
    return loaded


def versions() -> str:
    """Numba's version and that of the compiler below it; raises Unsupported."""
    return f"numba {numba().__version__}, llvmlite {importlib.import_module('llvmlite').__version__}"


@once
def _pool() -> bool:
    """Start numba's threads; False where there is no pool that several Python threads may use at a time."""
    module = numba()

    def use(count: int) -> None:
        module.set_num_threads(min(count, module.config.NUMBA_NUM_THREADS))

    try:
        threads.numba_serves(use)
    except ValueError:  # the threading layer that was asked for can't be loaded
        return False
    return bool(module.threading_layer() != "workqueue")


def accept(dtype: Any, *shapes: Shape) -> None:
    """Raise Unsupported for what no kernel is compiled for, and for arrays without items."""
    numba()
    if np.dtype(dtype) != np.float32:
        raise Unsupported(f"kernels are compiled for float32 only, not for {np.dtype(dtype)}")
    if any(0 in shape for shape in shapes):
        raise Unsupported("there is nothing to compute in an empty shape")


def parts_of(items: int) -> int:
    """In how many parts so many items are worked on: one for each thread, where they are many."""
    parts = threads.thread_count()
    return parts if parts > 1 and items >= PARALLEL_FROM and _pool() else 1


def kernel(module: str, name: str, parts: int = 1) -> Kernel:
    """A kernel of kernels/, compiled; for several parts it is `name`_in_parts, with their number as first argument."""
    numba()
    kernels = importlib.import_module(f"netcli.arrays.compiled.kernels.{module}")
    if parts > 1:
        return functools.partial(_compiled(getattr(kernels, f"{name}_in_parts")), parts)
    return _compiled(getattr(kernels, name))


@once
def _compiled(kernel: Any) -> Kernel:
    if hasattr(kernel, "compile"):  # with NUMBA_DISABLE_JIT kernels are plain functions
        with _alone(kernel.stats.cache_path):
            signature = kernel.signature
            kernel.compile(f"({signature},)" if isinstance(signature, str) else signature)
            kernel.disable_compile()  # for other types at a call: what fits is converted, the rest an error
    result: Kernel = kernel
    return result


@contextlib.contextmanager
def _alone(folder: str | None) -> Iterator[None]:
    """Let one process at a time compile: two would give different code the same name in the folder's index."""
    if folder is None:
        yield
        return
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        file = (Path(folder) / LOCK).open("w")
    except OSError:  # what can't be written to can't be spoilt either
        yield
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
