"""How many threads compute: affinity, control groups' quotas, OpenMP and BLAS."""

import importlib.metadata
import os
import subprocess
import sys

import numpy  # noqa: F401  # its BLAS is looked for
import pytest
from threadpoolctl import threadpool_info

from netcli.arrays import cgroup, threads

CASES = {  # files of the control groups -> (processors' worth of time, bytes)
    "none": ("0::/", {}, None, None),
    "version 2": ("0::/", {"cpu.max": "150000 100000", "memory.max": "1073741824"}, 1.5, 1 << 30),
    "version 2 without limits": ("0::/a", {"a/cpu.max": "max 100000", "a/memory.max": "max"}, None, None),
    "the narrowest of those around": (
        "0::/a/b",
        {"a/cpu.max": "50000 100000", "a/b/cpu.max": "400000 100000", "a/b/memory.max": "7", "a/memory.max": "9"},
        0.5,
        7,
    ),
    "a path of the host's": ("0::/docker/123", {"cpu.max": "300000 100000", "memory.max": "max"}, 3.0, None),
    "version 1": (
        "3:cpu,cpuacct:/x\n4:memory:/x\n0::/",
        {
            "cpu,cpuacct/x/cpu.cfs_quota_us": "25000",
            "cpu,cpuacct/x/cpu.cfs_period_us": "100000",
            "memory/x/memory.limit_in_bytes": "4096",
            "memory/memory.limit_in_bytes": "9223372036854771712",
        },
        0.25,
        4096,
    ),
    "version 1 without limits": (
        "3:cpu:/",
        {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
        None,
        None,
    ),
}


@pytest.fixture
def groups(monkeypatch, tmp_path):
    """A function that puts this process into control groups."""

    def put(membership, files):
        (tmp_path / "membership").write_text(membership + "\n")
        for name, content in files.items():
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content + "\n")
        monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "membership")
        monkeypatch.setattr(cgroup, "ROOT", tmp_path / "root")

    return put


@pytest.mark.parametrize("name", CASES)
def test_limits(groups, name):
    membership, files, cpus, memory = CASES[name]
    groups(membership, files)
    assert cgroup.cpu_quota() == cpus
    assert cgroup.memory_limit() == memory


def test_without_control_groups(monkeypatch, tmp_path):
    monkeypatch.setattr(cgroup, "MEMBERSHIP", tmp_path / "absent")
    assert cgroup.cpu_quota() is None
    assert cgroup.memory_limit() is None


@pytest.mark.parametrize(("quota", "cpus"), [(1000, 1), (100000, 1), (150000, 2), (9900000, 8)])
def test_usable_processors(groups, monkeypatch, quota, cpus):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    groups("0::/", {"cpu.max": f"{quota} 100000"})
    assert threads.usable_cpus() == cpus


@pytest.fixture
def default():
    yield
    threads.set_threads(None)


@pytest.mark.usefixtures("default")
def test_default(monkeypatch):
    threads.set_threads(None)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert threads.thread_count() == threads.usable_cpus()
    monkeypatch.setenv("OMP_NUM_THREADS", "3,2")
    assert threads.thread_count() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert threads.thread_count() == threads.usable_cpus()
    threads.set_threads(5)
    assert threads.thread_count() == 5


@pytest.mark.usefixtures("default")
@pytest.mark.parametrize("count", [0, -1])
def test_no_threads_are_refused(count):
    with pytest.raises(ValueError, match=f"{count} threads"):
        threads.set_threads(count)


def test_pins(monkeypatch):
    for name in threads.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert threads.pins() == {}
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert threads.pins() == {"OPENBLAS_CORETYPE": "Haswell"}


def in_a_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


COUNTS = (
    '; from threadpoolctl import threadpool_info as i; print(*(f\'{t["user_api"]}={t["num_threads"]}\' for t in i()))'
)


@pytest.mark.skipif(not any(t["user_api"] == "blas" for t in threadpool_info()), reason="NumPy's BLAS is not known")
def test_blas_has_the_threads_where_plain_bodies_serve():
    assert "blas=2" in in_a_process("from netcli.arrays import threads as t; t.set_threads(2)" + COUNTS)


def test_blas_is_held_while_onednn_serves():
    try:
        importlib.metadata.distribution("onednn-cpu-gomp")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("no oneDNN here")
    load = "from netcli.arrays import threads as t; from netcli.arrays.onednn.library import library; library()"
    for code in (f"{load}; t.set_threads(3)", load.replace("; from", "; t.set_threads(3); from", 1)):
        counts = in_a_process(code + COUNTS)
        assert "openmp=3" in counts
        assert "blas=1" in counts
