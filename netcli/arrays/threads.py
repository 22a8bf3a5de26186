"""How many threads compute.

oneDNN's threads are OpenMP's, and numba is asked to use the same ones.  A threaded product of NumPy's BLAS
between two of oneDNN's calls makes both wait (LeNet: 16 ms an iteration for 6), so BLAS is held to one thread
once oneDNN is loaded; where the plain bodies do the work alone, BLAS has all of them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from netcli.arrays import cgroup

# Variables that change how fast, or with how many threads, the libraries compute.
VARIABLES = (
    "OPENBLAS_CORETYPE",
    "OPENBLAS_L2_SIZE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OMP_PROC_BIND",
    "GOMP_CPU_AFFINITY",
    "OMP_WAIT_POLICY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "NETCLI_TIMING",
    "NUMBA_DISABLE_JIT",
    "NUMBA_CPU_NAME",
)

# How often an OpenMP thread looks for work before it sleeps.  By default libgomp's look for about a millisecond, and
# keep a processor from the very thread they wait for when anything else wants one: an iteration of LeNet, 3.6 ms on
# two quiet cores, took 50 to 220 ms beside another program.  At this count it takes 3.9 and 15 to 25.
SPINS = "3000"

_wanted: int | None = None  # what set_threads was told
_of_data: int | None = None  # what set_data_threads was told
_openmp: Callable[[int], None] | None = None  # OpenMP's omp_set_num_threads, once oneDNN is loaded
_numba: Callable[[int], None] | None = None  # the like for numba's kernels, once they have threads
_blas: Any = None  # threadpoolctl's hold on BLAS


def usable_cpus() -> int:
    """Processors that this process may use: its affinity and its control groups' quota, rounded up; at least 1."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = cgroup.cpu_quota()
    return max(1, cpus if quota is None else min(cpus, math.ceil(quota)))


def thread_count() -> int:
    """Threads that compute: as set, else OMP_NUM_THREADS, else the usable processors."""
    if _wanted is not None:
        return _wanted
    by_variable = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(by_variable) if by_variable.isdecimal() and int(by_variable) > 0 else usable_cpus()


def data_threads() -> int | None:
    """Threads that make a batch, as set; None: a data layer's own word, or as many as compute."""
    return _of_data


def set_data_threads(count: int | None) -> None:
    """Let data layers made from now on take so many threads for a batch."""
    global _of_data
    _of_data = count


def set_threads(count: int | None) -> None:
    """Compute with so many threads from now on, None: the default.

    Call it in the thread that computes (OpenMP keeps the number for each thread apart) and before plans are
    made: sums are split by the number of threads, and a plan keeps to that of its making.
    """
    global _wanted
    if count is not None and count < 1:
        raise ValueError(f"{count} threads can't compute")
    _wanted = count
    _apply()


def prepare_openmp() -> None:
    """To be called before anything loads libgomp, which reads the environment as it is loaded."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def onednn_serves(set_openmp_threads: Callable[[int], None]) -> None:
    """Called when oneDNN is loaded, with the function that sets its number of threads."""
    global _openmp
    _openmp = set_openmp_threads
    _apply()


def numba_serves(set_numba_threads: Callable[[int], None]) -> None:
    """Called before numba's first kernel on several threads, with the function that sets their number.

    That starts the threads, and what it raises where they can't be is passed on.
    """
    global _numba
    set_numba_threads(thread_count())
    _numba = set_numba_threads
    _apply()


def pins() -> dict[str, str]:
    """The variables of the environment that change how the libraries compute, and their values."""
    return {name: os.environ[name] for name in VARIABLES if name in os.environ}


def _apply() -> None:
    global _blas
    import numpy  # noqa: F401  # only a BLAS that is there can be held
    from threadpoolctl import ThreadpoolController  # looks through the process's libraries: not for every import

    if _numba is not None:
        _numba(thread_count())
    if _openmp is not None:  # after numba's, which sets OpenMP's number to its own when it starts
        _openmp(thread_count())
    if _blas is not None:
        _blas.restore_original_limits()
    blas = ThreadpoolController().select(user_api="blas")
    _blas = blas.limit(limits=thread_count() if _openmp is None else 1)
