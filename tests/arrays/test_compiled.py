"""The room of compiled kernels: when numba is loaded, what happens without it, threads, and what is kept on disk."""

import importlib.metadata
import importlib.util
import json
import logging
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import netcli
from netcli.arrays import threads
from netcli.arrays.call import Call, Port
from netcli.arrays.compiled import compiler
from netcli.arrays.ops import Ops
from netcli.arrays.unsupported import Unsupported
from netcli.training import state

needs_numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="no numba here")


CACHES = ("XDG_CACHE_HOME", "NUMBA_CACHE_DIR")


def in_a_process(code, **environment):
    """What a fresh interpreter prints."""
    inherited = {name: value for name, value in os.environ.items() if name not in CACHES}
    environment = {**inherited, **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


UPDATE = """
import numpy as np
from netcli.arrays.ops import Ops
plan = Ops({engine!r}).update("SGD", (3,), 0.9)
w = np.zeros(3, "f4")
plan.update(w, np.ones(3, "f4"), [np.zeros(3, "f4")], 0.5, 0.0, False, 1.0)
"""


@pytest.fixture
def warnings():
    """The warnings of netcli, as they come."""

    class Kept(logging.Handler):
        def emit(self, record):
            found.append(record.getMessage())

    found, logger, handler = [], logging.getLogger("netcli"), Kept()
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


@pytest.mark.parametrize("engine", ["auto", "plain"])
def test_numba_is_imported_only_for_a_body_that_is_asked_for(engine):
    code = "import sys, netcli.cli.main, netcli.training.session; print('numba' in sys.modules)" + UPDATE
    told = in_a_process(code.format(engine=engine) + "print('numba' in sys.modules, w[0])").splitlines()
    has_numba = importlib.util.find_spec("numba") is not None
    assert told == ["False", f"{engine == 'auto' and has_numba} -0.5"]


def missing(name):
    raise ModuleNotFoundError(f"No module named '{name}'", name=name)


def too_old(name):
    raise ImportError("Numba needs NumPy 2.5 or less. Got NumPy 3.0.")


def broken(name):
    raise OSError("Could not find/load shared object file 'libllvmlite.so'")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (missing, r"the package numba is missing (pip install numba)"),
        (too_old, "numba can't be used: Numba needs NumPy 2.5 or less. Got NumPy 3.0."),
        (broken, "numba can't be used: Could not find/load shared object file 'libllvmlite.so'"),
    ],
)
def test_without_numba_plain_bodies_serve_after_one_warning(monkeypatch, warnings, fault, reason):
    monkeypatch.setattr(compiler, "_load", cache(compiler._load.__wrapped__))
    monkeypatch.setattr(compiler.importlib, "import_module", fault)
    for make in (lambda: compiler.accept(np.float32), lambda: compiler.kernel("update", "momentum"), compiler.versions):
        with pytest.raises(Unsupported) as caught:
            make()
        assert str(caught.value) == reason
    assert warnings == [f"slower NumPy bodies run in place of compiled kernels: {reason}"]


def test_a_net_of_ops_without_numba(monkeypatch):
    def absent():
        raise Unsupported("no numba")

    monkeypatch.setattr(compiler, "numba", absent)
    ops = Ops()
    plan = ops.dropout((3, 4), 0.5)
    assert type(plan).__module__ == "netcli.arrays.plain.dropout"
    assert ops.declined == {"dropout": {"compiled": "no numba"}}
    assert "numba" not in ops.library()


@needs_numba
def test_numba_is_among_what_last_bits_depend_on():
    told = compiler.versions()
    assert re.fullmatch(r"numba \d\S+, llvmlite \d\S+", told)
    for libraries in (Ops().library(), state._computed_by(Ops())[0]):
        assert told in libraries
    for libraries in (Ops("plain").library(), state._computed_by(Ops("plain"))[0]):
        assert "numba" not in libraries


@needs_numba
def test_what_kernels_are_not_compiled_for():
    with pytest.raises(Unsupported, match="for float32 only, not for float64"):
        compiler.accept(np.float64)
    with pytest.raises(Unsupported, match="nothing to compute"):
        compiler.accept(np.float32, (2, 0, 3))


@needs_numba
def test_many_items_are_worked_on_in_parts(monkeypatch):
    monkeypatch.setattr(threads, "thread_count", lambda: 3)
    assert compiler.parts_of(compiler.PARALLEL_FROM - 1) == 1
    assert compiler.parts_of(compiler.PARALLEL_FROM) == 3
    monkeypatch.setattr(compiler, "_pool", lambda: False)
    assert compiler.parts_of(compiler.PARALLEL_FROM) == 1


THREADS = """
import ctypes
import numpy as np
from netcli.arrays import threads
from netcli.arrays.ops import Ops
{before}
n = 1 << 17
plan = Ops().update("SGD", (n,), 0.9)
w = np.zeros(n, "f4")
plan.update(w, np.ones(n, "f4"), [np.zeros(n, "f4")], 0.5, 0.0, False, 1.0)
assert (w == -0.5).all()
{behind}
import numba
from threadpoolctl import threadpool_info
openmp = {{t["num_threads"] for t in threadpool_info() if t["user_api"] == "openmp"}}
print(numba.threading_layer(), numba.get_num_threads(), *openmp)
"""


@needs_numba
def test_numba_and_onednn_have_the_threads_that_are_set():
    """numba sets OpenMP's number to its own when it starts, and can't go beyond the processors it began with."""
    told = in_a_process(THREADS.format(before="threads.set_threads(2)", behind="threads.set_threads(1)"))
    assert told.startswith("omp 1 ")
    load = "from netcli.arrays.onednn.library import library; library(); threads.set_threads(2)"
    try:
        importlib.metadata.distribution("onednn-cpu-gomp")
    except importlib.metadata.PackageNotFoundError:
        return
    assert in_a_process(THREADS.format(before=load, behind="")) == "omp 2 2"


@needs_numba
def test_a_threading_layer_of_the_users_is_kept():
    told = in_a_process(
        THREADS.format(before="threads.set_threads(2)", behind="threads.set_threads(2)"),
        NUMBA_THREADING_LAYER="omp",
        NUMBA_NUM_THREADS="1",
    )
    assert told.startswith("omp 1")


@needs_numba
def test_kernels_run_as_python_where_numba_is_told_not_to_compile():
    told = in_a_process(
        UPDATE.format(engine="auto")
        + "from netcli.arrays.compiled.update import Update; assert type(plan) is Update; print(w[0])\n"
        + "drop = Ops().dropout((5, 7), 0.5); x = np.ones((5, 7), 'f4'); drop.forward(x, x, 3, 'd', 1)\n"
        + "assert type(drop).__module__ == 'netcli.arrays.compiled.dropout'\n"
        + "same = Ops('plain').dropout((5, 7), 0.5); y = np.ones((5, 7), 'f4'); same.forward(y, y, 3, 'd', 1)\n"
        + "assert (x == y).all()",
        NUMBA_DISABLE_JIT="1",
    )
    assert told == "-0.5"


# -- what is kept on disk


@pytest.fixture
def package(tmp_path):
    """A copy of the package, in a folder of its own, without anything compiled."""
    source = Path(netcli.__file__).parent
    shutil.copytree(source, tmp_path / "site" / "netcli", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "site"


KEPT = """
import json
from netcli.arrays.compiled.kernels import update
where = update.momentum.stats.cache_path
print(json.dumps([where, sum(update.momentum.stats.cache_hits.values())]))
"""


def update_in(package, home):
    """Where the copy's kernel is kept, and how often it was found there."""
    code = f"import sys; sys.path.insert(0, {str(package)!r})\n" + UPDATE.format(engine="auto")
    code += "assert w[0] == -0.5" + KEPT
    return json.loads(in_a_process(code, PYTHONDONTWRITEBYTECODE="1", HOME=str(home)))


@needs_numba
def test_what_is_compiled_is_found_again(package, tmp_path):
    where, hits = update_in(package, tmp_path)
    assert Path(where).is_relative_to(package)
    assert hits == 0
    assert update_in(package, tmp_path) == [where, 1]


@needs_numba
def test_a_package_that_cannot_be_written_to_keeps_kernels_with_the_user(package, tmp_path):
    """A file stands where the folder would be: root may write anywhere else."""
    (package / "netcli" / "arrays" / "compiled" / "kernels" / "__pycache__").write_text("")
    where, hits = update_in(package, tmp_path)
    assert Path(where).is_relative_to(tmp_path)
    assert not Path(where).is_relative_to(package)
    assert hits == 0
    assert update_in(package, tmp_path) == [where, 1]


@needs_numba
def test_without_any_place_to_keep_them_kernels_are_compiled_each_time(package):
    (package / "netcli" / "arrays" / "compiled" / "kernels" / "__pycache__").write_text("")
    assert update_in(package, "/proc/nowhere") == [None, 0]


@needs_numba
def test_processes_that_compile_at_once_take_turns(package, tmp_path):
    code = f"import sys; sys.path.insert(0, {str(package)!r})\n" + UPDATE.format(engine="auto") + "print(w[0])" + KEPT
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    ]
    told = [json.loads(process.communicate()[0].splitlines()[-1]) for process in running]
    assert sorted(hits for _, hits in told) == [0, 1]


# -- calls


def add(x, y, number):
    y[:] = x + np.float32(number)


def test_a_call_takes_arrays_in_any_order():
    ports = Port((2, 3, 4, 5)), Port((2, 3, 4, 5), is_read=False, is_written=True)
    call = Call(add, ports)
    rng = np.random.default_rng(1)
    plain = rng.standard_normal((2, 3, 4, 5)).astype("f4")
    last = np.empty((2, 4, 5, 3), "f4").transpose(0, 3, 1, 2)
    last[...] = plain
    frozen = plain.copy()
    frozen.flags.writeable = False
    for x in (plain, last, frozen, plain[::-1], np.broadcast_to(plain[:1, :1, :1], plain.shape)):
        for like in (plain, last):
            y = np.full_like(like, np.nan)
            call.run((x, y), 2.5)
            call.run((x, y), 1.5)  # as it was bound
            np.testing.assert_array_equal(y, x + np.float32(1.5))


def test_a_call_refuses_what_it_was_not_planned_for():
    call = Call(add, (Port((2, 3)), Port((2, 3), is_read=False, is_written=True)))
    x, y = np.zeros((2, 3), "f4"), np.zeros((2, 3), "f4")
    with pytest.raises(ValueError, match=r"planned for float32 \(2, 3\), got float64 \(2, 3\)"):
        call.run((x.astype("f8"), y), 1.0)
    with pytest.raises(ValueError, match=r"planned for float32 \(2, 3\), got float32 \(3, 2\)"):
        call.run((x.T, y), 1.0)
    y.flags.writeable = False
    with pytest.raises(ValueError, match=r"the output \(2, 3\) is read-only"):
        call.run((x, y), 1.0)
