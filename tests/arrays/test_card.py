"""The real card's own code, over a module in the place of CuPy: how cuBLAS is called, copies, faults."""

import importlib

import numpy as np
import pytest

from arrays.emulated import cupy, xp
from netcli.arrays.cuda import card as cards
from netcli.arrays.plain.bfloat16 import rounded
from netcli.errors import NetcliError


@pytest.fixture
def make(monkeypatch):
    """A function that makes card `number` of a machine."""

    def made(number=0, **machine):
        module = cupy.module(**machine)
        monkeypatch.setattr(cards, "cupy", lambda: module)
        return cards.Card(number)

    monkeypatch.setattr(xp.DeviceArray, "data", property(lambda array: Pointer(array)), raising=False)
    return made


class Pointer:
    def __init__(self, array):
        self.ptr = array.pointer()


@pytest.fixture
def card(make, monkeypatch):
    card = make()
    card.__dict__["_blas"] = (cupy.Blas(), 1)
    return card


@pytest.mark.parametrize("transposed", [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)])
@pytest.mark.parametrize("sizes", [(2, 3, 4), (1, 5, 3), (4, 1, 2), (3, 2, 1), (1, 1, 1)])
@pytest.mark.parametrize("add", [False, True])
def test_products(card, sizes, transposed, add):
    m, k, n = sizes
    rng = np.random.default_rng(3)
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-13)):
        arrays = []
        for shape, is_transposed in zip(((m, k), (k, n), (m, n)), transposed, strict=True):
            values = rng.standard_normal(shape).astype(dtype)
            arrays.append((np.asfortranarray if is_transposed else np.ascontiguousarray)(values))
        a, b, c = arrays
        want = a @ b + (c if add else 0)
        card.gemm(*(xp.DeviceArray(each) for each in arrays), add=add)
        np.testing.assert_allclose(c, want, rtol=tolerance, atol=tolerance)


def test_products_of_bfloat16(card, monkeypatch):
    monkeypatch.setattr(card, "bfloat16", lambda _, x: xp.DeviceArray(halves(xp.host(x))))
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((3, 5)).astype("f4"), rng.standard_normal((5, 2)).astype("f4")
    c = np.zeros((3, 2), "f4")
    card.gemm(*map(xp.DeviceArray, (a, b, c)), bf16=True)
    np.testing.assert_allclose(c, rounded(a) @ rounded(b), rtol=1e-5)


def halves(x):
    return (rounded(x).view(np.uint32) >> 16).astype(np.uint16)


def test_what_is_multiplied(card):
    blas, _ = card._blas
    one = xp.DeviceArray(np.ones((1, 1), "f4"))
    for tf32, compute in ((True, blas.CUBLAS_COMPUTE_32F_FAST_TF32), (False, blas.CUBLAS_COMPUTE_32F)):
        card.tf32 = tf32
        card.gemm(one, one, xp.DeviceArray(np.ones((1, 1), "f4")))
        assert blas.compute == compute
    double = xp.DeviceArray(np.ones((1, 1)))
    card.gemm(double, double, xp.DeviceArray(np.ones((1, 1))))
    assert blas.compute == blas.CUBLAS_COMPUTE_64F


@pytest.mark.parametrize("order", ["C", "channels last", "strided"])
def test_copies(card, order):
    values = np.random.default_rng(1).standard_normal((2, 3, 4, 5))
    memory = np.zeros((2, 3, 4, 10), "f4")
    there = {
        "C": np.zeros((2, 3, 4, 5), "f4"),
        "channels last": np.zeros((2, 4, 5, 3), "f4").transpose(0, 3, 1, 2),
        "strided": memory[..., ::2],
    }[order]
    card.write(xp.DeviceArray(there), values)
    np.testing.assert_array_equal(there, values.astype("f4"))
    np.testing.assert_array_equal(xp.host(card.from_host(values)), values)


def test_faults_are_sentences(make, monkeypatch):
    with pytest.raises(NetcliError, match=r"^there is no card 1: there is one, card 0$"):
        make(1)
    with pytest.raises(NetcliError, match=r"^there is no card 2: they are 0\.\.1$"):
        make(2, cards=2)
    with pytest.raises(NetcliError, match=r"^there is no card 0: there is none$"):
        make(cards=0)
    with pytest.raises(NetcliError, match=r"^no card can be used: cudaErrorInsufficientDriver: .*runtime$"):
        make(cards=-1)
    with pytest.raises(
        NetcliError, match=r"^card 0, NVIDIA Fake, has compute capability 7\.5; netcli needs 8\.0 or more$"
    ):
        make(capability=(7, 5))
    with pytest.raises(NetcliError, match=r"^card 0 has 5121 MiB free of 8192, and 2048 MiB more are wanted$"):
        make().empty(1 << 29, "f4")
    assert make().versions.startswith("CuPy 14.2.0, CUDA 13.1 (driver 13.2)")


def test_without_cublas(make):
    card = make()
    card._cupy.cuda = Absent(card._cupy.cuda)
    one = xp.DeviceArray(np.ones((1, 1), "f4"))
    with pytest.raises(NetcliError, match=r"^cuBLAS can't be loaded: no libcublas$"):
        card.gemm(one, one, one)


class Absent:
    """cupy.cuda without the library, as CuPy tells it."""

    def __init__(self, cuda):
        self._cuda = cuda

    def __getattr__(self, name):
        if name == "cublas":
            raise ImportError("no libcublas\nsearched for it")
        return getattr(self._cuda, name)


def test_without_cupy(monkeypatch):
    def absent(name):
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(NetcliError, match=r"^the GPU engine needs CuPy: pip install 'netcli\[gpu\]'"):
        cards.Card(0)


def test_marks_are_events_of_the_card(card):
    start, middle, end = card.mark(), card.mark(), card.mark()
    assert card.between(start, end) == 0.5
    assert card.between(start, middle) == 0.25
    assert card.seconds(card.mark) == 0.5  # from before the work, which is another mark, to behind it


def test_names_are_ranges_that_end_whatever_happens(card):
    with card.named("conv1 forward"):
        pass
    with pytest.raises(ValueError, match="broken"), card.named("conv1 backward"):
        raise ValueError("broken")
    assert card.xp.cuda.nvtx.told == ["conv1 forward", None, "conv1 backward", None]
