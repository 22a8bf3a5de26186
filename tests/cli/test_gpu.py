"""Commands on a card, which is emulated."""

import json

import numpy as np
import pytest
from PIL import Image

from arrays.emulated.card import EmulatedCard
from netcli.errors import NetcliError
from netcli.snapshots import read_state, read_weights
from pycaffe.image_nets import ImageNet
from training.project import Project

DEPLOY = """
name: "tiny"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 1 dim: 5 dim: 5 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" inner_product_param { num_output: 8 } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 3 } }
layer { name: "prob" type: "Softmax" bottom: "ip2" top: "prob" }
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


@pytest.fixture
def card(monkeypatch):
    """The only card there is."""
    card = EmulatedCard()

    def found(number):
        if number:
            raise NetcliError(f"there is no card {number}: there is one, card 0")
        return card

    monkeypatch.setattr("netcli.training.cards.Card", found)
    return card


@pytest.fixture
def launches(card, monkeypatch):
    """The matrix products of the card."""
    seen = []
    own = card.gemm
    monkeypatch.setattr(card, "gemm", lambda *given, **how: seen.append(1) or own(*given, **how))
    return seen


def weights_of(path):
    return [blob for layer in read_weights(str(path)).layers for blob in layer.blobs]


def log_of(project):
    return (next(project.folder.glob("runs/*")) / "train.log").read_text()


def test_train_is_that_of_the_cpu(project, netcli, card):
    status, _, err = netcli("train", project.solver, "--gpu", "0", "--deterministic")
    assert (status, err) == (0, "")
    assert "Using GPUs 0" in log_of(project)
    assert card.replayed
    assert card.deterministic
    on_card = weights_of(f"{project.prefix}_iter_12.caffemodel")
    assert read_state(f"{project.prefix}_iter_12.solverstate").run.precision == "tf32"
    assert netcli("train", project.solver)[0] == 0
    for got, want in zip(on_card, weights_of(f"{project.prefix}_iter_12.caffemodel"), strict=True):
        np.testing.assert_allclose(np.asarray(got.data), np.asarray(want.data), rtol=1e-4, atol=1e-6)


def test_a_trace_of_a_training(project, netcli, card):
    trace = ["--profile", "trace.json", "--profile-iterations", "4", "6"]
    status, out, err = netcli("train", project.solver, "--gpu", "0", *trace)
    assert (status, err) == (0, "")
    assert "the trace is in trace.json" in out
    events = json.loads((project.folder / "trace.json").read_text())["traceEvents"]
    assert events[0]["args"]["name"] == "tiny, gpu"
    kinds = [event.get("cat") for event in events]
    assert [kinds.count(kind) for kind in ("iteration", "update", "test")] == [3, 3, 1]
    assert kinds.count("forward") >= 3 * 4
    assert "read" in kinds
    traced = weights_of(f"{project.prefix}_iter_12.caffemodel")
    assert netcli("train", project.solver, "--gpu", "0")[0] == 0
    for got, want in zip(traced, weights_of(f"{project.prefix}_iter_12.caffemodel"), strict=True):
        np.testing.assert_array_equal(np.asarray(got.data), np.asarray(want.data))


def test_a_solver_that_asks_for_a_gpu_gets_it(project, netcli, card):
    project.write("solver_mode: GPU")
    status, out, _ = netcli("train", project.solver)
    assert status == 0
    assert "solver_mode" not in out
    assert "Using GPUs 0" in log_of(project)
    assert netcli("train", project.solver, "--engine", "plain")[0] == 0


def test_a_solver_that_asks_for_another_gpu_runs_on_the_cpu(project, netcli, card):
    project.write("solver_mode: GPU device_id: 3")
    status, out, _ = netcli("train", project.solver)
    assert status == 0
    assert out.startswith("solver_mode: GPU runs on the CPU: there is no card 3: there is one, card 0")


def test_a_run_of_a_card_goes_on_on_the_cpu_and_says_so(project, netcli, card):
    assert netcli("train", project.solver, "--gpu", "0", "--set", "max_iter=5")[0] == 0
    status, _, err = netcli("train", project.solver, "--resume")
    assert status == 0
    assert "precision f32, not tf32" in err


def test_other_commands(project, netcli, card):
    assert netcli("train", project.solver, "--gpu", "0", "--precision", "f32")[0] == 0
    weights = f"{project.prefix}_iter_12.caffemodel"
    test = ["test", project.net, "--weights", weights, "--iterations", "5", "--json"]
    on_card, on_cpu = (json.loads(netcli(*test, *more)[1])["outputs"] for more in (["--gpu", "0"], []))
    assert on_card == pytest.approx(on_cpu, rel=1e-5)
    extract = ["extract-features", project.net, "--weights", weights, "--batches", "2", "--gpu", "0"]
    assert netcli(*extract, "--blob", "ip1=features")[0] == 0
    status, out, _ = netcli("time", project.net, "--iterations", "2", "--gpu", "0", "--json")
    assert (status, "ip1" in out) == (0, True)
    assert netcli("summary", project.net, "--gpu", "0")[0] == 0
    assert netcli("test", project.net, "--weights", weights, "--gpu", "1")[0] == 2


@pytest.fixture
def images(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = ImageNet(tmp_path, batch=3, spread=1e-3)
    pixels = np.random.default_rng(2).integers(0, 256, (12, 11, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "windows.csv").write_text("filename,ymin,xmin,ymax,xmax\na.png,1,2,9,10\na.png,0,0,12,11\n")
    return files


def test_classify_and_detect(images, netcli, card, launches):
    given = ["classify", images.net, "a.png", "out.npy", "--weights", images.weights, "--images-dim", "12,11"]
    found = []
    for more in ([], ["--gpu", "0"]):
        assert netcli(*given, *more)[0] == 0
        found.append(np.load("out.npy"))
        assert bool(launches) == bool(more)
    np.testing.assert_allclose(*found, rtol=1e-5)
    assert netcli(*given, "--gpu", "1")[0] == 2
    assert netcli(*given)[0] == 0  # the next command is the CPU's again
    given = ["detect", images.net, "windows.csv", "out.csv", "--weights", images.weights, "--context-pad", "1"]
    found = []
    launches.clear()
    for more in ([], ["--gpu", "0"]):
        assert netcli(*given, *more)[0] == 0
        found.append(np.loadtxt("out.csv", delimiter=",", skiprows=1, usecols=range(5, 11)))
        assert bool(launches) == bool(more)
    np.testing.assert_allclose(*found, rtol=1e-5)


def test_the_old_scripts_let_a_card_compute(images, netcli, card, launches, monkeypatch):
    given = [
        "--model_def",
        images.net,
        "--pretrained_model",
        images.weights,
        "--mean_file",
        "",
        "--images_dim",
        "12,11",
    ]
    assert netcli("caffe", "classify", "a.png", "out.npy", *given, "--gpu")[0] == 0
    assert launches
    launches.clear()

    def none(number):
        raise NetcliError("there is no card")

    monkeypatch.setattr("netcli.training.cards.Card", none)
    status, _, err = netcli("caffe", "classify", "a.png", "out.npy", *given, "--gpu")
    assert status == 0
    assert "--gpu: there is no card; the CPU computes" in err
    assert not launches
