import json
from contextlib import nullcontext
from itertools import pairwise

import pytest
from click.testing import CliRunner

from arrays.emulated.card import EmulatedCard
from netcli.cli import time
from netcli.cli.time import command
from netcli.errors import NetcliError
from netcli.training.cards import Chosen

NET = """
name: "small"
layer { name: "data" type: "DummyData" top: "data" top: "y"
  dummy_data_param { shape { dim: 8 dim: 30 } shape { dim: 8 dim: 5 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }
"""


def run(path, *options):
    result = CliRunner().invoke(command, [str(path), "--engine", "plain", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


def test_the_table(net):
    lines = run(net, "--iterations", "3").splitlines()
    assert lines[0].split() == ["layer", "type", "forward", "ms", "backward", "ms"]
    assert [line.split()[:2] for line in lines[1:4]] == [
        ["data", "DummyData"],
        ["ip", "InnerProduct"],
        ["loss", "EuclideanLoss"],
    ]
    assert lines[-1].endswith(" ms an iteration, on the average of 3")


def test_json(net):
    found = json.loads(run(net, "--iterations", "3", "--json"))
    assert [layer["name"] for layer in found["layers"]] == ["data", "ip", "loss"]
    for way in ("forward_ms", "backward_ms"):
        assert found[way] >= sum(layer[way] for layer in found["layers"]) - 1e-5
    assert found["layers"][1]["backward_ms"] > 0
    assert "replayed_ms" not in found  # which the CPU does not
    assert found["total_ms"] == pytest.approx(found["forward_ms"] + found["backward_ms"], abs=1e-4)


def test_a_test_net_runs_forward_alone(net):
    output = run(net, "--iterations", "1", "--phase", "TEST")
    assert "backward" not in output
    assert json.loads(run(net, "--iterations", "1", "--phase", "TEST", "--json"))["backward_ms"] == 0


def test_threads(net, monkeypatch):
    told = []
    monkeypatch.setitem(command.callback.__globals__, "set_threads", told.append)
    run(net, "--threads", "1")
    assert told == [1]


@pytest.fixture
def card(monkeypatch):
    card = EmulatedCard()
    monkeypatch.setattr(time, "device_of", lambda *_: Chosen(card))
    return card


def on_card(path, *options):
    result = CliRunner().invoke(command, [str(path), "--gpu", "0", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_card_s_layers_and_whole_iterations_as_they_are_replayed(net, card):
    lines = on_card(net, "--iterations", "3").splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ["data", "ip", "loss"]
    assert lines[-2].endswith(" ms an iteration, on the average of 3")
    assert lines[-1].endswith(" ms an iteration as it is replayed")
    assert card.replayed >= 2 * 3  # forward and backward
    found = json.loads(on_card(net, "--iterations", "2", "--json"))
    assert found["replayed_ms"] > 0


def test_a_card_s_own_clock_is_what_is_told(net, card, monkeypatch):
    marks = iter(range(10_000))
    monkeypatch.setattr(card, "mark", lambda: next(marks))
    monkeypatch.setattr(card, "between", lambda start, end: 0.001 * (end - start))
    found = json.loads(on_card(net, "--iterations", "2", "--json"))
    assert [layer["forward_ms"] for layer in found["layers"]] == [1, 1, 1]
    assert [layer["backward_ms"] for layer in found["layers"]] == [0, 1, 1]  # data have none
    assert (found["forward_ms"], found["backward_ms"], found["total_ms"]) == (7, 5, 12)  # with the marks of the layers
    assert found["replayed_ms"] == 0.5  # from one mark to the next, over two iterations


def events_of(path):
    return [event for event in json.loads(path.read_text())["traceEvents"] if event["ph"] == "X"]


@pytest.mark.parametrize("where", ["cpu", "gpu"])
def test_profile_has_an_event_for_each_layer_s_passes(net, tmp_path, where, request):
    (on_card if where == "gpu" and request.getfixturevalue("card") else run)(
        net, "--iterations", "2", "--profile", str(tmp_path / "trace.json")
    )
    events = events_of(tmp_path / "trace.json")
    once = [("data", "forward"), ("ip", "forward"), ("loss", "forward"), ("loss", "backward"), ("ip", "backward")]
    assert [(event["name"], event["cat"]) for event in events] == once * 2
    assert events[1]["args"] == {"type": "InnerProduct"}
    assert events[0]["ts"] == 0
    for event, following in pairwise(events):
        assert event["dur"] >= 0
        assert event["ts"] + event["dur"] <= following["ts"] + 0.01
    (head,) = [
        event for event in json.loads((tmp_path / "trace.json").read_text())["traceEvents"] if event["ph"] == "M"
    ]
    assert head["args"]["name"] == f"small, {where}"


def test_layers_have_names_while_they_are_profiled_alone(net, card, monkeypatch, tmp_path):
    told = []
    monkeypatch.setattr(card, "named", lambda name: told.append(name) or nullcontext())
    on_card(net, "--iterations", "1")
    assert told == []
    on_card(net, "--iterations", "1", "--profile", str(tmp_path / "trace.json"))
    assert told[:3] == ["data forward", "ip forward", "loss forward"]
    assert told[3] == "loss backward"


def test_a_profile_that_can_t_be_written_is_told_before_anything_is_measured(net, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "measure", lambda *_: pytest.fail("measured"))
    result = CliRunner().invoke(command, [str(net), "--profile", str(tmp_path / "none" / "trace.json")])
    assert isinstance(result.exception, NetcliError)
