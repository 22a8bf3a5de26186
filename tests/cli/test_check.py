import json
import logging

import pytest

from netcli.cli.check import fault_of, states
from netcli.prototxt import parse, schema
from prototxt.corpus import CORPUS, public_prototxts

NET = """
name: "small"
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 8 dim: 3 dim: 10 dim: 10 } shape { dim: 8 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = """
net: "net.prototxt"
base_lr: 0.1
lr_policy: "fixed"
max_iter: 10
test_iter: 1
test_interval: 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


def test_a_line_for_each_file(netcli, folder):
    (folder / "labels.prototxt").write_text('item { name: "cat" label: 1 }')
    (folder / "wrong.prototxt").write_text('layer {\n nme: "x" }')
    status, out, err = netcli(
        "check", "net.prototxt", "wrong.prototxt", "none", ".", "solver.prototxt", "labels.prototxt"
    )
    assert status == 1
    assert out.splitlines() == [
        "net.prototxt: ok (net)",
        "wrong.prototxt:2: LayerParameter has no field 'nme'; did you mean 'name'?",
        "none: there is no such file",
        ".: is a folder, not a prototxt",
        "solver.prototxt: ok (solver)",
        "labels.prototxt: ok (label map)",
    ]
    assert not err


def test_json(netcli, folder):
    (folder / "wrong.prototxt").write_text('name: "x')
    status, out, _ = netcli("check", "--json", "net.prototxt", "wrong.prototxt")
    assert status == 1
    assert [json.loads(line) for line in out.splitlines()] == [
        {"file": "net.prototxt", "ok": True, "error": None},
        {
            "file": "wrong.prototxt",
            "ok": False,
            "error": 'wrong.prototxt:1: NetParameter.name takes text in quotes, found a string without its closing "',
        },
    ]


def test_exit_status(netcli, folder):
    assert netcli("check", "net.prototxt")[0] == 0
    assert netcli("check")[0] == 2
    assert netcli("check", "--no-such-option", "net.prototxt")[0] == 2


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("num_output: 5", "", "net.prototxt:5: layer 'ip' (InnerProduct): num_output"),
        (
            'bottom: "ip" bottom: "label" top: "accuracy"',
            'bottom: "lp" bottom: "label"',
            "net.prototxt:6: layer 'accuracy'",
        ),
        ("InnerProduct", "InnerProdct", "net.prototxt:5: layer 'ip' (InnerProdct): there is no layer type"),
    ],
)
def test_nets_are_built(folder, old, new, fault):
    assert old in NET
    (folder / "net.prototxt").write_text(NET.replace(old, new))
    assert fault_of("net.prototxt", build=True)[1].startswith(fault)
    assert fault_of("solver.prototxt", build=True)[1].startswith(fault)
    assert fault_of("net.prototxt", build=False) == ("net", None)


def test_a_fault_in_the_net_of_a_solver_names_both(netcli, folder):
    (folder / "net.prototxt").write_text("layer { name: 5 }")
    assert netcli("check", "solver.prototxt")[1] == (
        "solver.prototxt: net.prototxt:1: LayerParameter.name takes text in quotes, found 5\n"
    )


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ('"fixed"', '"step"', 4),
        ('"fixed"', '"fixd"', 4),
        ("test_iter: 1", "test_iter: 1 test_iter: 2 test_iter: -3", 6),
        ("net.prototxt", "no_net.prototxt", 2),
        ("max_iter: 10", 'max_iter: 10 type: "Adm"', 5),
    ],
)
def test_solvers_are_checked(folder, old, new, line):
    (folder / "solver.prototxt").write_text(SOLVER.replace(old, new))
    kind, fault = fault_of("solver.prototxt", build=True)
    assert kind == "solver"
    assert fault.startswith(f"solver.prototxt:{line}: ")


def test_a_missing_source_is_a_fault(folder):
    (folder / "data.prototxt").write_text(
        'layer { name: "data" type: "Data" top: "data"\n data_param { source: "no_lmdb" backend: LMDB batch_size: 1 } }'
    )
    _, fault = fault_of("data.prototxt", build=True)
    assert fault.startswith("data.prototxt:2: layer 'data' (Data): ")
    assert "no_lmdb" in fault


TRAIN, TEST = 0, 1
DATA = 'layer { type: "Data" top: "data" %s } layer { type: "SoftmaxWithLoss" bottom: "data" }'
WEIGHED = 'layer { type: "Input" top: "x" } layer { type: "Power" bottom: "x" top: "y" loss_weight: 1 }'
STAGED = DATA % 'include { phase: TRAIN stage: "a" } include { stage: "b" }'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DATA % "", [(TRAIN, ()), (TEST, ())]),
        (DATA % "include { phase: TRAIN }", [(TRAIN, ())]),
        (DATA % "exclude { phase: TRAIN }", [(TEST, ())]),
        ('layer { type: "Input" top: "data" }', [(TEST, ())]),  # nothing to train by
        (WEIGHED, [(TRAIN, ()), (TEST, ())]),
        ('layer { type: "Data" include { phase: TRAIN } } layer { type: "ReLU" bottom: "x" }', [(TRAIN, ())]),
        (STAGED, [(TRAIN, ("a",)), (TRAIN, ("b",)), (TEST, ("b",))]),
        ('layer { type: "ReLU" bottom: "nothing" }', [(TRAIN, ()), (TEST, ())]),
    ],
)
def test_states_that_a_net_is_made_for(text, expected):
    assert states(parse(text, schema.NetParameter)) == expected


@pytest.mark.skipif(not CORPUS.is_file(), reason="the corpus of public prototxts is not beside the checkout")
def test_public_prototxts_are_read(tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    path = tmp_path / "public.prototxt"
    kinds = {}
    for text in public_prototxts():
        path.write_text(text)
        kind, fault = fault_of(str(path), build=False)
        assert fault is None
        kinds[kind] = kinds.get(kind, 0) + 1
    assert set(kinds) == {"net", "solver", "label map"}
    assert kinds["net"] > 300
