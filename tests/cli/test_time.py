import json

import pytest
from click.testing import CliRunner

from netcli.cli.time import command

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
        assert found[way] == pytest.approx(sum(layer[way] for layer in found["layers"]), abs=1e-4)
    assert found["layers"][1]["backward_ms"] > 0
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
