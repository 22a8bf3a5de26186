"""What is asked of cuDNN: by the fake of it, and, without a card, of itself where its libraries are."""

import json

import numpy as np
import pytest

from arrays.emulated import cudnn as fake
from arrays.emulated.card import EmulatedCard
from arrays.emulated.plans import HostPlan
from arrays.test_card_products import activation, normal
from netcli.arrays import choices as choices_module
from netcli.arrays.choices import Choices
from netcli.arrays.cuda.conv import Conv as General
from netcli.arrays.cuda.device import LIBRARY
from netcli.arrays.cudnn.conv import Conv
from netcli.arrays.cudnn.graph import BIAS, BIAS_AND_RELU, Graph
from netcli.arrays.ops import Ops
from netcli.arrays.plain.conv import Conv as PlainConv
from netcli.arrays.unsupported import Unsupported
from netcli.arrays.work_space import Calls

CASE = ((2, 8, 6, 7), 16, (3, 3), (1, 1), (1, 1), (1, 1), 1, True)
GROUPS = ((2, 16, 6, 7), 32, (3, 2), (2, 1), (1, 0), (1, 2), 2, False)
MANY_GROUPS = ((2, 24, 6, 7), 24, (3, 3), (1, 1), (1, 1), (1, 1), 8, False)


def all_results(plan, case):
    shape, filters, kernel, group = case[0], case[1], case[2], case[6]
    x, w = activation(*shape), normal(filters, shape[1] // group, *kernel, seed=4)
    b = normal(filters, seed=5) if case[7] else None
    dy = activation(*plan.y_shape, seed=6)
    y, dx, dw = np.full_like(dy, np.nan), np.full_like(x, np.nan), np.ones_like(w)
    plan.forward(x, w, b, y)
    plan.backward_data(dy, w, dx)
    plan.backward_weights(x, dy, dw, None, True)
    return y, dx, dw


def check(plan, case, **options):
    for got, want in zip(all_results(plan, case), all_results(PlainConv(*case, "f4", **options), case), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)


@pytest.fixture
def card():
    fake.built.clear()
    return EmulatedCard()


@pytest.fixture
def own_cache(monkeypatch, tmp_path):
    """An empty one, for a process that has not measured yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv(choices_module.VARIABLE, "on")
    monkeypatch.setattr(choices_module, "_measured", {})
    monkeypatch.setattr(choices_module, "_spent", 0.0)
    choices_module._on_disk.cache_clear()
    yield tmp_path / "netcli" / "ways.json"
    choices_module._on_disk.cache_clear()


@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize(("case", "executed"), [(CASE, 8), (GROUPS, 8), (MANY_GROUPS, 24)])
def test_groups(card, case, executed, bf16):
    """Two of whole packs of channels are each a convolution over slices; many are one of groups."""
    check(HostPlan(Conv(card, *case, "f4", bf16=bf16), card), case, bf16=bf16)
    assert [graph.kind for graph in fake.built] == ["forward", "data", "weights"]
    assert fake.built[0].a.dim[1] == executed
    assert all((graph.given is fake.data_type.BFLOAT16) == bf16 for graph in fake.built)


def test_it_serves_a_card_s_convolutions(card):
    ops = Ops(device=card)
    assert type(ops.conv(*CASE)).__module__ == "netcli.arrays.cudnn.conv"
    depthwise = ops.conv((2, 8, 6, 7), 8, (3, 3), (1, 1), (1, 1), (1, 1), 8, False)
    assert type(depthwise).__module__ == "netcli.arrays.cuda.conv"
    assert "one channel to a group" in ops.declined["conv"]["cudnn"]
    for case in (("f8", (2, 8, 6, 7)), ("f4", (0, 8, 6, 7)), ("f4", (2, 8, 6))):
        axes = len(case[1]) - 2
        with pytest.raises(Unsupported):
            Conv(card, case[1], 4, *[(1,) * axes] * 2, (0,) * axes, (1,) * axes, 1, False, case[0])


@pytest.mark.parametrize("tf32", [False, True])
@pytest.mark.parametrize("deterministic", [False, True])
def test_what_plans_may_do(card, tf32, deterministic):
    card.tf32, card.deterministic = tf32, deterministic
    check(HostPlan(Conv(card, *CASE, "f4"), card), CASE)
    notes = fake.numerical_note
    for graph in fake.built:
        assert (notes.TENSOR_CORE in graph.deselected) != tf32
        assert (notes.NONDETERMINISTIC in graph.deselected) == deterministic
        assert (fake.heur_mode.FALLBACK in graph.modes) != tf32  # what is left there is needed


def test_what_cudnn_declines_is_done_without_it(card, monkeypatch):
    monkeypatch.setattr(fake, "declines", True)
    check(HostPlan(Conv(card, *CASE, "f4"), card), CASE)
    assert len(fake.built) == 3


def test_without_cudnn_the_kernels_serve():
    class Bare(EmulatedCard):
        @property
        def cudnn(self):
            raise ImportError("no library")

    ops = Ops(device=Bare())
    assert type(ops.conv(*CASE)).__module__ == "netcli.arrays.cuda.conv"
    assert ops.declined["conv"]["cudnn"] == "cuDNN can't be used: no library"


def test_a_plan_that_lasts_takes_the_fastest_and_remembers_it(card, own_cache, monkeypatch):
    times = {"eng1_k2=1": 3.0, "eng2_k2=1": 1.0, "eng3_k2=1": 2.0}

    def seconds(work):
        before = []
        monkeypatch.setattr(fake.pygraph, "_compute", lambda self, *args: before.append(args[-1]))
        work()
        return times[f"eng{before[0]}_k2=1"]

    with monkeypatch.context() as patch:
        patch.setattr(card, "seconds", seconds, raising=False)
        choices = Choices()
        plan = HostPlan(Conv(card, *CASE, "f4", choices=choices), card)
        all_results(plan, CASE)
    assert list(choices.made.values()) == ["eng2_k2=1"] * 3
    machine = "cuDNN 92800, emulated card"
    assert json.loads(own_cache.read_text()) == {machine: choices.made}
    # Another process knows it.
    monkeypatch.setattr(choices_module, "_measured", {})
    choices_module._on_disk.cache_clear()
    monkeypatch.setattr(card, "seconds", None, raising=False)
    later = Choices()
    all_results(HostPlan(Conv(card, *CASE, "f4", choices=later), card), CASE)
    assert later.made == choices.made
    # A run that is resumed keeps its own; what cuDNN no longer has is passed over.
    for way, found in (("eng3_k2=1", "eng3_k2=1"), ("eng9_k2=1", "eng2_k2=1")):
        resumed = Choices()
        resumed.follow(dict.fromkeys(choices.made, way))
        all_results(HostPlan(Conv(card, *CASE, "f4", choices=resumed), card), CASE)
        assert set(resumed.made.values()) == {found}


def test_what_plans_work_in_is_foretold(card):
    plan = Conv(card, *CASE, "f4")
    assert plan.work_space(Calls(forward=False)).library == 0
    assert not fake.built  # only what is called is planned
    assert plan.work_space(Calls(backward=True, data=True)).library == fake.WORKSPACE  # the first that can be built
    assert [graph.kind for graph in fake.built] == ["forward", "data"]
    before = card.taken
    check(HostPlan(plan, card), CASE)
    assert len(fake.built) == 3  # and none twice
    assert card.library_room >= fake.WORKSPACE
    assert card._work[LIBRARY].nbytes == fake.WORKSPACE < card.taken - before


@pytest.mark.parametrize("most", [3, 2])
def test_plans_that_work_in_more_than_is_left_are_passed_over(card, own_cache, monkeypatch, most):
    """Of those of 4, 2 and 3 pages the second is chosen by cuDNN's order, and the third is faster."""
    pages = {1: 4, 2: 2, 3: 3}
    monkeypatch.setattr(
        fake.pygraph, "get_workspace_size_plan_at_index", lambda _, index: pages[index] * fake.WORKSPACE
    )
    monkeypatch.setattr(fake.pygraph, "_compute", lambda self, *args: ran.append(args[-1]))
    monkeypatch.setattr(card, "seconds", lambda work: work() or {2: 2.0, 3: 1.0}[ran[-1]], raising=False)
    ran = []
    card.most_library = most * fake.WORKSPACE
    plan = Conv(card, *CASE, "f4", choices=Choices())
    assert plan.work_space(Calls()).library == 2 * fake.WORKSPACE
    all_results(HostPlan(plan, card), CASE)
    assert set(ran) == set(range(2, most + 1))
    assert ran[-1] == most
    assert card.library_room == most * fake.WORKSPACE


def test_plans_are_timed_in_the_memory_there_is(card, own_cache, monkeypatch):
    """On a card that the nets fill there is no other."""
    monkeypatch.setattr(card, "seconds", lambda work: work() or 1.0, raising=False)
    card.library_work(3 * fake.WORKSPACE)
    taken = []
    own = card.empty
    monkeypatch.setattr(card, "empty", lambda count, dtype: taken.append(dtype) or own(count, dtype))
    all_results(HostPlan(Conv(card, *CASE, "f4", choices=Choices()), card), CASE)
    assert len(fake.built) == 3
    assert np.uint8 not in taken


def test_memory_that_is_outgrown_counts_where_more_is_asked_for(card):
    card.most_library = 100
    card.library_work(30)
    assert card.library_room == 70  # beside the 30
    card.library_work(60)
    assert card.library_room == 60
    card.memory = (5, 200)
    assert card.library_room == 60  # which it has
    other = EmulatedCard()
    other.memory = (5, 200)
    assert other.library_room == 5


def test_where_no_plan_fits_it_is_done_without(card):
    card.most_library = fake.WORKSPACE - 1
    plan, general = Conv(card, *CASE, "f4"), General(card, *CASE, "f4")
    assert plan.work_space(Calls()).library == 0
    assert plan.work_space(Calls()).passing >= general.work_space(Calls()).passing
    check(HostPlan(plan, card), CASE)


# -- the bias, and a ReLU, in the same pass


def finished(plan, case, value=1.0, seed=3):
    """What forward gives; one item of x is `value`."""
    shape, filters, kernel, group = case[0], case[1], case[2], case[6]
    x, w = activation(*shape, seed=seed), normal(filters, shape[1] // group, *kernel, seed=4)
    x[0, 1, 2, 2] = value
    y = np.full(plan.y_shape, np.nan, "f4")
    with np.errstate(all="ignore"):
        plan.forward(x, w, normal(filters, seed=5), y)
    return y


BIASED = {"dense": CASE, "groups": (*GROUPS[:7], True), "many groups": (*MANY_GROUPS[:7], True)}


@pytest.mark.parametrize("relu", [None, 0.0])
@pytest.mark.parametrize("bf16", [False, True])
@pytest.mark.parametrize("case", BIASED.values(), ids=BIASED)
def test_the_bias_and_a_relu_are_done_in_one_pass(card, monkeypatch, relu, bf16, case):
    card.tf32 = True
    plan = Conv(card, *case, "f4", relu=relu, bf16=bf16)
    monkeypatch.setattr(plan, "_epilogue", None)
    for value in (1, np.nan, np.inf, -np.inf):
        want = finished(PlainConv(*case, "f4", relu=relu, bf16=bf16), case, value)
        np.testing.assert_allclose(finished(HostPlan(plan, card), case, value), want, rtol=1e-4, atol=1e-4)
    (graph,) = fake.built
    assert graph.rectifies == (relu is not None)


@pytest.mark.parametrize(
    ("tf32", "options"),
    [(False, {}), (True, {"relu": 0.25}), (True, {"add": True}), (True, {"affine": True}), (True, {"prelu": True})],
)
def test_what_is_done_in_a_pass_of_its_own(card, tf32, options):
    """In strict float32 all: cuDNN has for it only what it falls back to."""
    card.tf32 = tf32
    plan = Conv(card, *CASE, "f4", **options)
    way = plan._way
    assert way._in_one is False


@pytest.mark.parametrize("fault", ["forgets", "declines_behind"])
def test_where_cudnn_has_no_such_pass_or_a_wrong_one_two_serve(card, monkeypatch, fault):
    monkeypatch.setattr(fake, fault, True)
    card.tf32 = True
    plan = HostPlan(Conv(card, *CASE, "f4", relu=0.0), card)
    for value in (1, np.nan):
        want = finished(PlainConv(*CASE, "f4", relu=0.0), CASE, value)
        np.testing.assert_allclose(finished(plan, CASE, value), want, rtol=1e-4, atol=1e-4)
    assert [graph.bias_of is None for graph in fake.built] == [False, True]


@pytest.mark.parametrize(("one", "two"), [(1.0, 2.0), (2.0, 1.0)])
def test_one_pass_or_two_is_timed_and_remembered(card, own_cache, monkeypatch, one, two):
    card.tf32 = True
    bodies = []
    compute = fake.pygraph._compute

    def note(graph, *args):
        bodies.append(graph.bias_of is not None)
        compute(graph, *args)

    def seconds(work):
        bodies.clear()
        work()
        return one if bodies[0] else two

    monkeypatch.setattr(fake.pygraph, "_compute", note)
    monkeypatch.setattr(card, "seconds", seconds, raising=False)
    choices = Choices()
    want = finished(PlainConv(*CASE, "f4", relu=0.0), CASE)
    plan = HostPlan(Conv(card, *CASE, "f4", relu=0.0, choices=choices), card)
    for _ in range(2):
        np.testing.assert_allclose(finished(plan, CASE), want, rtol=1e-4, atol=1e-4)
    assert bodies[-1] == (one < two)
    (key,) = (key for key in choices.made if key.endswith(": passes"))
    assert choices.made[key] == ("one" if one < two else "two")
    assert json.loads(own_cache.read_text())["cuDNN 92800, emulated card"][key] == choices.made[key]
    # Another process knows it, and one that is resumed keeps its own.
    monkeypatch.setattr(choices_module, "_measured", {})
    choices_module._on_disk.cache_clear()
    monkeypatch.setattr(card, "seconds", None, raising=False)
    for ways, wanted in (({}, one < two), ({key: "one"}, True), ({key: "two"}, False)):
        later = Choices()
        later.follow({**choices.made, **ways} if ways else {})
        plan = HostPlan(Conv(card, *CASE, "f4", relu=0.0, choices=later), card)
        np.testing.assert_allclose(finished(plan, CASE), want, rtol=1e-4, atol=1e-4)
        assert bodies[-1] == wanted


def test_iterations_are_recorded(card):
    plan = Conv(card, *CASE, "f4")
    x, w, b = (card.from_host(normal(*shape)) for shape in ((2, 6, 7, 8), (16, 8, 3, 3), (16,)))
    x = x.transpose(0, 3, 1, 2)
    y, other = (card.zeros(2 * 16 * 6 * 7, "f4").reshape(2, 6, 7, 16).transpose(0, 3, 1, 2) for _ in range(2))
    plan.forward(x, w, b, y)
    plan.forward(x, w, b, other)
    other[...] = 0
    replay = card.record(lambda: plan.forward(x, w, b, other))
    assert not card.to_host(other).any()
    replay()
    np.testing.assert_array_equal(card.to_host(other), card.to_host(y))


# -- cuDNN itself, which builds plans for a card that is only described

H100 = {
    "maxGridSize": [2**31 - 1, 65535, 65535], "maxBlockSize": [1024, 1024, 64], "regsPerBlock": 65536,
    "multiProcessorCount": 132, "smCountOrigin": 0, "smClockRateKHz": 1980000, "memClockRateKHz": 2619000,
    "memoryBusWidth": 5120, "l2CacheSize": 50 << 20, "warpSize": 32, "maxSharedMemoryPerBlock": 48 << 10,
    "maxSharedMemoryPerBlockOptin": 227 << 10, "reservedSharedMemoryPerBlock": 1024, "maxRegistersPerSM": 65536,
    "maxCtasPerSM": 32, "maxThreadsPerBlock": 1024, "maxThreadsPerSM": 2048, "isTccDriver": 0, "supportCoopLaunch": 1,
    "deviceVer": 900, "driverVer": 13000, "totalGlobalMem": 80 << 30, "cudaDeviceId": 0, "pciDeviceId": 0x2330,
    "oversizedSharedMemoryPerBlock": 0, "deviceName": "NVIDIA H100 80GB HBM3",
}  # fmt: skip


@pytest.fixture(scope="module")
def described():
    """cuDNN's module with graphs of the described card, or a skip."""
    cudnn = pytest.importorskip("cudnn", reason="the wheel nvidia-cudnn-frontend is missing")
    try:
        card = cudnn.create_device_properties(json.dumps(H100))
    except RuntimeError as fault:
        pytest.skip(f"cuDNN can't be used: {str(fault).splitlines()[0]}")

    class Described:
        data_type, heur_mode, numerical_note = cudnn.data_type, cudnn.heur_mode, cudnn.numerical_note
        cudnnGraphNotSupportedError = cudnn.cudnnGraphNotSupportedError  # noqa: N815

        @staticmethod
        def pygraph(*, handle, **types):
            return cudnn.pygraph(device_property=card, **types)

        @staticmethod
        def backend_version():
            return cudnn.backend_version()

    return Described


class DescribedCard(EmulatedCard):
    cudnn = None


@pytest.mark.parametrize("tf32", [True, False])
@pytest.mark.parametrize(
    "case",
    [
        ((256, 256, 13, 13), 384, (3, 3), (1, 1), (1, 1), (1, 1), 1, False),
        ((256, 96, 27, 27), 256, (5, 5), (1, 1), (2, 2), (1, 1), 2, False),
        ((256, 3, 227, 227), 96, (11, 11), (4, 4), (0, 0), (1, 1), 1, False),
        ((64, 256, 56, 56), 128, (1, 1), (2, 2), (0, 0), (1, 1), 1, False),
        ((128, 64, 56, 56), 64, (1, 1), (1, 1), (0, 0), (1, 1), 1, False),
        ((32, 128, 28, 28), 128, (3, 3), (1, 1), (1, 1), (1, 1), 32, False),
        ((16, 64, 33, 33), 64, (3, 3), (1, 1), (2, 2), (2, 2), 1, False),
    ],
    ids=str,
)
def test_cudnn_has_plans(described, tf32, case):
    card = DescribedCard()
    card.cudnn, card.tf32 = (described, None), tf32
    way = Conv(card, *case, "f4")._way
    for operation, roles in (("forward", "xwy"), ("backward_data", "ywx"), ("backward_weights", "xyw")):
        tensors = [getattr(way, f"_{role}") for role in roles]
        for behind in ("", *([BIAS, BIAS_AND_RELU] if operation == "forward" and tf32 else [])):
            graph = Graph(card, operation, *tensors, way._window, False, behind)
            graph.settle(None, ())
            assert graph.is_settled


def test_cudnn_takes_graphs_of_bfloat16(described):
    card = DescribedCard()
    card.cudnn = (described, None)
    way = Conv(card, *CASE, "f4", bf16=True)._way
    for operation, roles in (("forward", "xwy"), ("backward_data", "ywx"), ("backward_weights", "xyw")):
        tensors = [getattr(way, f"_{role}") for role in roles]
        for behind in ("", *([BIAS, BIAS_AND_RELU] if operation == "forward" else [])):
            graph = Graph(card, operation, *tensors, way._window, True, behind)
            assert graph._graph.get_execution_plan_count() > 0  # compiled for a card that is there
