"""What of the benchmark on cards can be held to account without one."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import simplejpeg

from arrays.emulated.card import EmulatedCard

ROOT = Path(__file__).parents[2]


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    return lambda name: importlib.import_module(f"tools.bench.{name}")


def test_without_a_card_it_says_so_and_ends_with_2():
    script = (
        "import sys; sys.modules['cupy'] = None; import runpy; runpy.run_module('tools.bench.gpu', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.fullmatch(r"tools\.bench\.gpu: .*CuPy.*\n", done.stderr)


def test_a_card_beyond_those_there_are_is_told(module, monkeypatch):
    gpu = module("gpu")
    monkeypatch.setattr(gpu, "count", lambda: 2)
    gpu.need(1)
    with pytest.raises(module("gpu").NetcliError, match="there is no card 2: this machine has 2"):
        gpu.need(2)


def test_usual_nets_and_precisions(module):
    given = module("gpu").arguments([])
    assert given.net == [
        *["alexnet:256", "alexnet:1024", "caffenet:256", "googlenet:128", "vgg16:64", "resnet50:128", "lenet:64"]
    ]
    assert given.precision == ["tf32", "bf16"]
    assert given.kind == ["eager", "reduce-overhead", "max-autotune"]
    assert module("gpu").arguments(["--images", "."]).net == ["alexnet:256", "resnet50:128"]


@pytest.mark.parametrize("net", ["alexnot:4", "alexnet:0", "alexnet:", "alexnet:x", "det1-12x12"])
def test_nets_that_are_none_are_told(module, net, capsys):
    with pytest.raises(SystemExit) as ended:
        module("gpu").arguments(["--net", net])
    assert ended.value.code == 2
    assert net in capsys.readouterr().err


def test_a_case_at_another_batch_is_the_same_net(module):
    cases = module("cases")
    case = cases.case_of("lenet:3")
    assert (case.name, case.batch) == ("lenet", 3)
    assert case.batch_of("train")[0].shape == (3, 1, 28, 28)
    assert cases.case_of("lenet") is cases.CASES["lenet"]


def test_table_has_images_speed_share_of_rate_and_memory(module):
    report, gpu = module("report"), module("gpu")
    gib = 1 << 30
    results = {
        "netcli": report.Result(times=[10.0, 12.0, 10.0], flop=int(2e12), peak=5 * gib, imports=gib),
        "torch eager": report.Result(times=[20.0, 20.0, 20.0], flop=int(2e12), peak=9 * gib, imports=2 * gib),
        "torch max-autotune": report.Result(fault="ended with status 1"),
    }
    case = module("cases").case_of("alexnet:256")
    _, ours, eager, missing, rate = gpu.table(results, case, [390.0, 400.0, 410.0])
    assert ours.split() == ["netcli", "10.000", "25600", "200", "50", "%", "4.00"]
    assert eager.split() == ["torch", "eager", "20.000", "0.50", "(0.50-0.60)", "12800", "100", "25", "%", "7.00"]
    assert missing.endswith("did not run: ended with status 1")
    assert "400 TFLOP/s (390-410)" in rate


def test_table_without_netcli_s_side_compares_nothing(module):
    report = module("report")
    results = {"netcli": report.Result(fault="ended"), "torch eager": report.Result(times=[1.0])}
    _, ours, other = module("gpu").table(results, module("cases").case_of("lenet:64"), [])
    assert ours.endswith("did not run: ended")
    assert other.endswith("was not compared")


def test_meter_of_a_card_tells_what_was_taken_before_others_began(module):
    frees = iter([900, 600, 100])
    waits = []
    meter = module("turns").CardMeter(lambda: (next(frees), 1000), lambda: waits.append(1))
    assert meter.held() == 100
    assert meter.peak() == 400
    assert meter.peak() == 400  # although others have taken more since
    meter.wait()
    assert waits == [1]


def test_netcli_s_side_trains_on_a_card(module):
    card = EmulatedCard()
    step, facts = module("gpu_netcli").prepare(card, "f32", module("cases").case_of("lenet:2"))
    for _ in range(4):
        step()
    assert facts["parameters"] == 431_080
    assert card.replayed > 0


def test_netcli_s_side_trains_from_jpegs(module, tmp_path):
    rng = np.random.default_rng(0)
    images = tmp_path / "images"
    images.mkdir()
    for number in range(3):
        pixels = rng.integers(0, 256, (40, 48, 3), np.uint8)
        (images / f"{number}.jpg").write_bytes(simplejpeg.encode_jpeg(pixels))
    database, files = module("gpu").make_sources(images, tmp_path)
    assert len(files.read_text().splitlines()) == 3
    step, _ = module("gpu_netcli").prepare(EmulatedCard(), "f32", module("cases").case_of("cifar10:2"), str(database))
    step()


def test_torch_s_side_of_cards_imports_no_netcli():
    text = (ROOT / "tools/bench/gpu_torch.py").read_text()
    assert "netcli" not in "".join(re.findall("^ *(?:from|import) .*", text, re.MULTILINE))
