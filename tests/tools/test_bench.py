"""The benchmark measures what it says, at sizes that take no time."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

TRAIN_LOG = """\
I1125 10:00:00.000000  7 solver.cpp:239] Iteration 0 (-1.4e-42 iter/s, 0.125s/3 iters), loss = 2.3
I1125 10:00:01.000000  7 solver.cpp:239] Iteration 3 (6 iter/s, 0.5s/3 iters), loss = 2.3
I1125 10:00:01.000000  7 sgd_solver.cpp:112] Iteration 3, lr = 1e-05
I1125 10:00:02.000000  7 solver.cpp:239] Iteration 6 (12 iter/s, 0.25s/3 iters), loss = 2.2
"""
TIME_LOG = (
    "I1125 caffe.cpp:397] Average Forward pass: 1.25e+01 ms.\nI1125 caffe.cpp:399] Average Backward pass: 0 ms.\n"
)


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"tools.bench.{name}")


def test_times_of_caffe_are_those_of_warm_iterations(module):
    caffe = module("caffe_side")
    assert caffe.trained_seconds(TRAIN_LOG, 3) == 0.25
    assert caffe.forward_seconds(TIME_LOG) == 0.0125


def test_what_is_no_log_of_caffe_is_told(module):
    caffe = module("caffe_side")
    with pytest.raises(caffe.CaffeError, match="no line of 4 iterations"):
        caffe.trained_seconds(TRAIN_LOG, 4)
    with pytest.raises(caffe.CaffeError, match="no forward pass"):
        caffe.forward_seconds("F1125 Check failed")


def test_ratio_is_the_median_turn_by_turn(module):
    report = module("report")
    ours, theirs = report.Result(times=[1.0, 2.0, 9.0]), report.Result(times=[2.0, 8.0, 10.0])
    assert report.ratio(ours, theirs) == (0.25, 0.5, 0.9)


def test_table_has_speed_share_of_peak_and_memory(module):
    report = module("report")
    mib = 1 << 20
    results = {
        "netcli": report.Result(times=[10.0], flop=int(2e9), peak=150 * mib, imports=50 * mib),
        "torch eager": report.Result(times=[40.0], flop=int(2e9), peak=400 * mib, imports=200 * mib),
        "torch channels_last": report.Result(times=[20.0], flop=int(2e9), peak=400 * mib, imports=200 * mib),
        "caffe": report.Result(fault="it is not there"),
    }
    _, ours, eager, _, caffe, better, peak = report.table(results, [400.0])
    assert ours.split() == ["netcli", "10.000", "200", "50", "%", "100", "+", "50"]
    assert eager.split()[2:] == ["40.000", "0.25", "(0.25-0.25)", "50", "12", "%", "200", "+", "200"]
    assert caffe.endswith("did not run: it is not there")
    assert "0.50" in better
    assert "400 GFLOP/s" in peak


# Multiply-adds of a forward pass of one image, by hand: 20 filters of 25 at 24 x 24, 50 of 500 at 8 x 8, and the
# products of 800 x 500 and 500 x 10.
CONV1 = 20 * 25 * 24 * 24
LENET = CONV1 + 50 * 500 * 8 * 8 + 800 * 500 + 500 * 10


@pytest.mark.parametrize(("work", "flop"), [("infer1", 2 * LENET), ("train", 64 * 2 * (3 * LENET - CONV1))])
def test_work_counts_both_backward_passes_where_there_are_two(module, tmp_path, work, flop):
    documents = module("documents")
    layers = documents.write(module("cases").CASES["lenet"], work, tmp_path)
    assert documents.flop(layers, work) == flop
    assert sum(layer["parameters"] for layer in layers) == 431_080


def test_layers_left_out_are_stepped_over(module, tmp_path):
    layers = module("documents").write(module("cases").CASES["alexnet-no-lrn"], "infer1", tmp_path)
    assert "LRN" not in {layer["type"] for layer in layers}
    pool1 = next(layer for layer in layers if layer["name"] == "pool1")
    assert pool1["bottom"] == [[1, 96, 55, 55]]


def test_solver_of_a_case_trains_its_net_and_stores_nothing(module, tmp_path):
    module("documents").write(module("cases").CASES["mobilenet"], "train", tmp_path)
    text = (tmp_path / "solver.prototxt").read_text()
    assert f'net: "{tmp_path}/net.prototxt"' in text
    assert "snapshot_after_train: false" in text
    assert "iter_size" not in text
    assert "test_i" not in text


@pytest.mark.parametrize(
    ("side", "work"), [("netcli", "train"), ("netcli plain", "infer1"), ("netcli pycaffe", "train")]
)
def test_side_of_netcli_takes_its_turn(module, side, work):
    sides = module("sides")
    taker = sides.ProcessSide("netcli_side", side, "lenet", work)
    try:
        assert taker.facts["parameters"] == 431_080
        assert taker.turn(1) > 0
        assert taker.peak > taker.facts["imports"] > 0
    finally:
        taker.close()


def test_side_that_does_not_start_is_told(module):
    sides = module("sides")
    with pytest.raises(sides.SideError, match="ended with status"):
        sides.ProcessSide("netcli_side", "netcli", "no such net", "train")


def test_side_that_ends_is_told_at_its_turn(module):
    sides = module("sides")
    taker = sides.ProcessSide("peak")
    taker.process.kill()
    with pytest.raises(sides.SideError, match="ended with status"):
        taker.turn(1)
    taker.close()


def test_peak_is_measured_by_fused_multiply_adds(module):
    peak = module("peak")
    text = str(peak.module(8))
    assert text.count('call <8 x float> @"llvm.fma.v8f32"') == peak.ACCUMULATORS
    function, _engine = peak.compiled(peak.module(4))
    assert 0.49 < function(100) / peak.ACCUMULATORS < 0.51  # each sum has come to 0.5


def test_rows_of_a_type_are_summed_with_the_slowest_first(module):
    ops = module("ops")
    rows = [
        ops.Row("relu1", "ReLU", 0, (1.0, 1.0), [(2.0, 0.0), (1.0, 0.0)]),
        ops.Row("conv1", "Convolution", 4e6, (1.0, 2.0), [(2.0, 4.0), (1.0, 2.0)]),
        ops.Row("conv2", "Convolution", 8e6, (1.0, 2.0), [(2.0, 4.0), (1.0, 2.0)]),
    ]
    convolutions, relus = ops.by_type(rows)
    assert (convolutions.name, convolutions.netcli, convolutions.torch) == (
        "2 of",
        (2.0, 4.0),
        [(4.0, 8.0), (2.0, 4.0)],
    )
    assert convolutions.line().split() == [
        "2",
        "of",
        "Convolution",
        "2",
        *["2.000", "4.000", "4.000", "8.000", "2.000", "4.000", "1.00"],
    ]
    assert relus.netcli == (1.0, 1.0)


def test_torch_s_nets_have_the_parameters_of_ours(module, tmp_path):
    pytest.importorskip("torch", reason="PyTorch is not installed here")
    cases, documents, nets = module("cases"), module("documents"), module("torch_nets")
    for case in cases.ALL:
        for work in ("train", "infer1"):
            if case.does(work):
                ours = sum(layer["parameters"] for layer in documents.write(case, work, tmp_path))
                assert sum(p.numel() for p in nets.build(case.name, work == "train").parameters()) == ours


def test_driver_and_sides_of_peers_import_no_netcli():
    # A driver's memory would count as that of the programs it runs; PyTorch's Python may have no netcli.
    script = (
        "import sys; import tools.bench.__main__, tools.bench.turns\n"
        "print([name for name in sys.modules if name.startswith('netcli')])"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for name in ("torch_side", "torch_nets", "torch_ops"):
        assert "netcli" not in "".join(
            re.findall("^(?:from|import) .*", (ROOT / f"tools/bench/{name}.py").read_text(), re.M)
        )
