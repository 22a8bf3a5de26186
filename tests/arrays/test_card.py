"""The real card's own code, over a module in the place of CuPy: how cuBLASLt is called, copies, faults."""

import importlib
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest

from arrays.emulated import cublaslt, cupy, xp
from netcli.arrays.cuda import card as cards
from netcli.arrays.layout import view
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
    monkeypatch.setattr(xp.DeviceArray, "get", cupy.get, raising=False)
    return made


class Pointer:
    def __init__(self, array):
        self.ptr = array.pointer()


@pytest.fixture
def lt():
    return cublaslt.Library()


@pytest.fixture
def card(make, lt, monkeypatch):
    card = make()
    monkeypatch.setattr(cards.ctypes, "CDLL", lambda name: lt if name == "libcublasLt.so.13" else None)
    return card


def placed(values, offset=0):
    """The values on a card, in the order in which they lie, so many items behind a boundary of 256 bytes."""
    flat = values.ravel(order="K")
    memory = np.zeros(flat.nbytes + 1024, np.uint8)
    start = -memory.ctypes.data % 256 + offset * flat.itemsize
    there = memory[start : start + flat.nbytes].view(flat.dtype)
    there[...] = flat
    shaped = there.reshape(values.shape, order="C" if values.flags.c_contiguous else "F")
    return xp.DeviceArray(shaped)


def operands(sizes, transposed, dtype, offsets=(0, 0, 0)):
    m, k, n = sizes
    rng = np.random.default_rng(3)
    for shape, is_transposed, offset in zip(((m, k), (k, n), (m, n)), transposed, offsets, strict=True):
        values = rng.standard_normal(shape).astype(dtype)
        yield placed((np.asfortranarray if is_transposed else np.ascontiguousarray)(values), offset)


ORDERS = [(a, b, c) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
SIZES = [(2, 3, 4), (1, 5, 3), (4, 1, 2), (3, 2, 1), (1, 1, 1)]


@pytest.mark.parametrize("transposed", ORDERS)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("add", [False, True])
def test_products(card, sizes, transposed, add):
    for dtype, tolerance in ((np.float32, 1e-5), (np.float64, 1e-13)):
        a, b, c = operands(sizes, transposed, dtype)
        want = xp.host(a) @ xp.host(b) + (xp.host(c) if add else 0)
        card.gemm(a, b, c, add=add)
        np.testing.assert_allclose(xp.host(c), want, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("transposed", ORDERS)
@pytest.mark.parametrize("add", [False, True])
def test_products_of_bfloat16(card, monkeypatch, transposed, add):
    monkeypatch.setattr(card, "bfloat16", lambda _, x: placed(halves(xp.host(x))))
    for sizes in SIZES:
        a, b, c = operands(sizes, transposed, np.float32)
        want = rounded(xp.host(a)) @ rounded(xp.host(b)) + (xp.host(c) if add else 0)
        card.gemm(a, b, c, add=add, bf16=True)
        np.testing.assert_allclose(xp.host(c), want, rtol=1e-5, atol=1e-6)
    a, b, c = operands((2, 3, 4), transposed, np.float64)  # which is not rounded
    want = xp.host(a) @ xp.host(b)
    card.gemm(a, b, c, bf16=True)
    np.testing.assert_allclose(xp.host(c), want, rtol=1e-13)


def halves(x):
    order = "C" if x.flags.c_contiguous else "F"
    return (rounded(x).view(np.uint32) >> 16).astype(np.uint16, order=order)


@pytest.mark.parametrize("offsets", [(0, 0, 0), (1, 2, 4), (3, 0, 1), (8, 16, 32), (64, 5, 64)])
@pytest.mark.parametrize("transposed", ORDERS)
def test_what_is_promised_of_alignments_is_so(card, lt, offsets, transposed):
    for dtype in (np.float32, np.float64):
        a, b, c = operands((3, 5, 4), transposed, dtype, offsets)
        want = xp.host(a) @ xp.host(b)
        card.gemm(a, b, c)
        np.testing.assert_allclose(xp.host(c), want, rtol=1e-5, atol=1e-6)
    *_, wanted = lt.asked
    given = [offset * 8 or 256 for offset in offsets]
    expected = [min(256, each & -each) for each in given]
    first, second = (
        (0, 1) if transposed[2] else (1, 0)
    )  # cuBLASLt's A is what stands behind, where c is seen by columns
    assert [wanted[5], wanted[6], wanted[7]] == [expected[first], expected[second], expected[2]]
    assert wanted[8] == wanted[7]
    assert wanted[1] == cards.PRODUCTS_WORKSPACE


def test_a_product_is_planned_once(card, lt):
    for _ in range(3):
        for transposed in ORDERS[:2]:
            card.gemm(*operands((2, 3, 4), transposed, np.float32))
    assert len(lt.asked) == 2
    assert len(lt.multiplied) == 6
    assert all(wanted[3] == 7 for wanted in lt.asked)
    card.deterministic = True
    card.gemm(*operands((2, 3, 4), ORDERS[0], np.float32))
    assert lt.asked[-1][3] == 6  # nothing is added up in place, in whichever order it is done


def test_products_without_items(card, lt):
    for m, k, n in ((0, 3, 4), (2, 3, 0), (0, 0, 0), (2, 0, 4)):
        for transposed in ORDERS:
            a, b, c = operands((m, k, n), transposed, np.float32)
            before = xp.host(c).copy()
            card.gemm(a, b, c, add=True)
            np.testing.assert_array_equal(xp.host(c), before)
            card.gemm(a, b, c)
            assert not xp.host(c).any()
    assert not lt.multiplied


def test_what_is_multiplied(card, lt):
    for tf32, dtype, compute in ((True, "f4", 77), (False, "f4", 68), (True, "f8", 70), (False, "f8", 70)):
        card.tf32 = tf32
        card.gemm(*operands((1, 1, 1), ORDERS[0], dtype))
        assert lt.multiplied[-1] == (compute, card.stream.ptr)


def test_where_tf32_has_no_algorithm_float32_serves(card, lt, monkeypatch):
    search = lt._MatmulAlgoGetHeuristic
    monkeypatch.setattr(
        lt,
        "_MatmulAlgoGetHeuristic",
        lambda *args: 15 if lt._of(args[1])["compute"] == 77 else search(*args),
        raising=False,
    )
    card.tf32 = True
    a, b, c = operands((2, 3, 4), ORDERS[0], np.float32)
    card.gemm(a, b, c)
    np.testing.assert_allclose(xp.host(c), xp.host(a) @ xp.host(b), rtol=1e-5)
    assert lt.multiplied == [(68, card.stream.ptr)]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ({"MatmulAlgoGetHeuristic": 15}, r"CUBLAS_STATUS_NOT_SUPPORTED \(15\)"),
        ({"state": 15}, r"CUBLAS_STATUS_NOT_SUPPORTED \(15\)"),
        ({"found": 0}, r"CUBLAS_STATUS_NOT_SUPPORTED \(15\)"),
        ({"Matmul": 13}, r"CUBLAS_STATUS_EXECUTION_FAILED \(13\)"),
        ({"MatrixLayoutCreate": 15}, r"CUBLAS_STATUS_NOT_SUPPORTED \(15\)"),
    ],
)
def test_products_that_fail(card, lt, status, told):
    lt.status = status
    for _ in range(2):  # a fault is not remembered as a plan
        with pytest.raises(RuntimeError, match=rf"^cuBLASLt can't multiply \(2, 3\) by \(3, 4\): {told}$"):
            card.gemm(*operands((2, 3, 4), ORDERS[0], np.float32))
    lt.status = {}
    card.gemm(*operands((2, 3, 4), ORDERS[0], np.float32))


# -- recordings


def test_products_are_recorded(card, lt):
    a, b, c = operands((2, 3, 4), ORDERS[3], np.float32)
    with pytest.raises(card.refusals, match=r"^memory is taken while a card records$"):  # cuBLASLt's, for good
        card.record(lambda: card.gemm(a, b, c))
    card.gemm(a, b, c)
    before = xp.host(c).copy()
    replay = card.record(lambda: card.gemm(a, b, c, add=True))
    np.testing.assert_array_equal(xp.host(c), before)
    for times in (1, 2):
        replay()
        np.testing.assert_allclose(xp.host(c), before + times * (xp.host(a) @ xp.host(b)), rtol=1e-5)
    assert len(lt.multiplied) == 2


def test_what_meets_the_host_is_refused_while_a_card_records(card, lt):
    x, values = placed(np.zeros(3, "f4")), np.ones(3, "f4")
    fence = card.fence()
    for wrong, told in (
        (lambda: card.write(x, values), "a value of the host is written"),
        (lambda: card.write(x[::2], values[::2]), "a value of the host is written"),
        (lambda: card.to_host(x), "a value is read"),
        (lambda: card.fetch(x, values), "a value is read"),
        (lambda: card.from_host(values), "an array of the host is brought"),
        (lambda: card.empty(3, "f4"), "memory is taken"),
        (lambda: card.zeros(3, "f4"), "memory is taken"),
        (card.synchronize, "the stream is waited for"),
    ):
        with pytest.raises(card.refusals, match=f"^{told} while a card records$"):
            card.record(wrong)
        assert not card.stream.is_capturing()
    assert not xp.host(x).any()
    card.write(x, values)
    assert xp.host(x).all()
    # Another thread's copies go on.
    card.record(lambda: card.upload(x, 2 * values, fence).wait())
    assert (xp.host(x) == 2).all()


@pytest.mark.parametrize(
    "ask",
    [
        lambda card, x: card.write(x, np.ones(3, "f4")),
        lambda card, x: card.to_host(x),
        lambda card, x: card.fetch(x, np.ones(3, "f4")),
        lambda card, x: card.send(x, np.ones(3, "f4")),
        lambda card, x: card.from_host(np.ones(3, "f4")),
        lambda card, x: card.empty(3, "f4"),
        lambda card, x: card.zeros(3, "f4"),
        lambda card, x: card.record(lambda: None),
    ],
    ids=["write", "to_host", "fetch", "send", "from_host", "empty", "zeros", "record"],
)
def test_another_thread_waits_while_a_card_records(card, ask):
    x, done = placed(np.zeros(3, "f4")), []

    def other():
        ask(card, x)
        done.append(True)

    thread = threading.Thread(target=other)

    def work():
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()

    card.record(work)
    thread.join(10)
    assert done


def test_what_a_recording_works_in_is_its_own_as_long_as_it_lasts(card):
    empty = card.xp.empty
    taken = []

    def work():
        for _ in range(2):
            array = empty(3, "f4")
            taken.append(array.pointer())
            del array

    work()
    first = taken[-1]
    replays = [card.record(work) for _ in range(2)]
    assert len(set(taken[2:4])) == len(set(taken[4:])) == 1  # what was given back it has again
    assert taken[2] == first  # what nobody had
    assert taken[4] != first
    assert empty(3, "f4").pointer() not in taken
    replays.clear()
    assert {each.pointer() for each in [empty(3, "f4") for _ in range(3)]} >= set(taken)


def test_what_the_work_has_kept_lasts_longer_than_the_recording_and_is_given_back(card):
    kept = []

    def work():
        large = card.xp.empty(1000, "f4")
        del large
        kept.append(card.xp.empty(600, "f4"))  # in the block of the large one
        kept.append(card.xp.empty(1, "f4"))  # not in a block far too large for it

    replay = card.record(work)
    addresses = [array.pointer() for array in kept]
    assert not card._pool.free
    del replay
    assert not card._pool.free
    kept.clear()
    assert sorted(map(len, card._pool.free)) == [512, 4096]
    assert {card.xp.empty(count, "f4").pointer() for count in (1000, 1)} == set(addresses)


def test_a_card_without_memory_for_a_recording(card):
    with pytest.raises(card.refusals, match=r"^the card has too little memory to keep what it works in$"):
        card.record(lambda: card.xp.empty(1 << 29, "f4"))
    assert not card.stream.is_capturing()


# -- copies


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


def test_the_hosts_memory_is_no_more_than_wanted(card, monkeypatch):
    for count in (0, 1, 3, (1 << 20) + 1):
        memory = card.host_memory(count, "f8")
        assert (memory.shape, memory.dtype) == ((count,), np.float64)
        memory[...] = 1
    assert len(memory.base) == memory.nbytes  # a large one
    monkeypatch.setattr(cupy.PinnedMemory, "limit", 1 << 21)
    with pytest.raises(
        NetcliError, match=r"^8 MiB of the host's memory can't be had for copies to a card: cudaErrorMemoryAllocation"
    ):
        card.host_memory(1 << 20, "f8")


def test_values_may_change_behind_a_copy(card, monkeypatch):
    waits, late = [], []
    monkeypatch.setattr(card.stream, "synchronize", lambda: waits.append(late.pop()()))
    monkeypatch.setattr(card._cupy.cuda.runtime, "memcpyAsync", lambda *copy: late.append(lambda: cupy.memcpy(*copy)))
    values = card.host_memory(3, "f4")
    values[...] = 1
    there = xp.DeviceArray(np.zeros(3, "f4"))
    card.write(there, values)
    values[...] = 2
    np.testing.assert_array_equal(xp.host(there), 1)
    assert len(waits) == 1
    for array in (xp.DeviceArray(np.zeros((), "u8")), there):  # a number, without waiting
        card.write(array, 7)
        np.testing.assert_array_equal(xp.host(array), 7)
    assert len(waits) == 1


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3), (), (0, 2)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_mirrors_are_sent_and_fetched(card, shape, channels_last):
    values = np.random.default_rng(1).standard_normal(shape).astype("f4")
    there = view(card.zeros(values.size, "f4"), shape, channels_last)
    card.send(there, values)
    np.testing.assert_array_equal(xp.host(there), values)
    back = card.host_memory(values.size, "f4").reshape(shape)
    card.fetch(there, back)
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3), (), (0, 2)])
@pytest.mark.parametrize("channels_last", [False, True])
def test_who_reads_an_array_goes_on_with_the_cards_stream(card, shape, channels_last):
    values = np.random.default_rng(1).standard_normal(shape).astype("f4")
    there = view(card.zeros(values.size, "f4"), shape, channels_last)
    card.write(there, values)
    card.stream.use()
    np.testing.assert_array_equal(card.to_host(there), values)
    assert cupy.used == [card.stream]


def test_a_thread_works_on_the_cards_stream_and_then_on_its_own_again(card):
    own = cupy.Stream(non_blocking=True).use()
    with card.current(), card.turn:
        assert cupy.used == [card.stream]
        with card.current():
            assert cupy.used == [card.stream]
        assert cupy.used == [card.stream]
    assert cupy.used == [own]
    card.stream.use()
    with card.current():
        pass
    assert cupy.used == [card.stream]


def test_faults_are_sentences(make, monkeypatch):
    with pytest.raises(NetcliError, match=r"^there is no card 1: there is one, card 0$"):
        make(1)
    with pytest.raises(NetcliError, match=r"^there is no card 2: they are 0\.\.1$"):
        make(2, cards=2)
    with pytest.raises(NetcliError, match=r"^there is no card 0: there is none$"):
        make(cards=0)
    with pytest.raises(NetcliError, match=r"^no card can be used: cudaErrorInsufficientDriver: .*runtime$"):
        make(cards=-1)
    with pytest.raises(NetcliError, match=r"^no card can be used: no driver of NVIDIA's is loaded$"):
        make(cards=-1, driver=0)
    with pytest.raises(
        NetcliError, match=r"^card 0, NVIDIA Fake, has compute capability 7\.5; netcli needs 8\.0 or more$"
    ):
        make(capability=(7, 5))
    with pytest.raises(NetcliError, match=r"^card 0 has 5121 MiB free of 8192, and 2048 MiB more are wanted$"):
        make().empty(1 << 29, "f4")
    monkeypatch.setattr(cupy.Device, "busy", (1,))
    with pytest.raises(NetcliError, match=r"^card 1 can't be used: cudaErrorDevicesUnavailable: .* busy"):
        make(1, cards=2)
    assert make().versions.startswith("CuPy 14.2.0, CUDA 13.1 (driver 13.2)")


def test_without_cublas(make, monkeypatch):
    card = make()
    one = xp.DeviceArray(np.ones((1, 1), "f4"))

    def missing(name):
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(cards.ctypes, "CDLL", missing)
    with pytest.raises(NetcliError, match=r"^cuBLAS can't be loaded: libcublasLt.so.13: cannot open"):
        card.gemm(one, one, one)
    card._cupy.cuda = Absent(card._cupy.cuda)
    with pytest.raises(NetcliError, match=r"^cuBLAS can't be loaded: no libcublas$"):
        card.gemm(one, one, one)


def test_versions_where_cudnn_can_be_used_and_where_its_library_is_missing(make, monkeypatch):
    def missing():
        raise RuntimeError("Unable to find symbol cudnnCreate")

    found = {"set_stream": lambda handle, stream: None, "backend_version_string": lambda: "9.28.1"}
    monkeypatch.setitem(sys.modules, "cudnn", SimpleNamespace(create_handle=lambda: 1, **found))
    assert make().versions.endswith(", cuDNN 9.28.1")
    monkeypatch.setitem(
        sys.modules, "cudnn", SimpleNamespace(create_handle=missing, set_stream=None, backend_version_string=missing)
    )
    assert "cuDNN" not in make().versions


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


def test_cupy_without_a_folder_for_its_kernels(monkeypatch):
    def unwritable(name):
        raise PermissionError(13, "Permission denied", "/nobody/.cupy")

    monkeypatch.setattr(importlib, "import_module", unwritable)
    with pytest.raises(
        NetcliError,
        match=r"^CuPy can't keep the kernels it compiles in /nobody/.cupy \(Permission denied\); CUPY_CACHE_DIR names",
    ):
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
