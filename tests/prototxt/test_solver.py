"""Solver prototxts: old fields, and where snapshots go."""

import pytest

from netcli.prototxt import parse, read_solver, schema, upgrade_solver
from prototxt.messages import assert_lines_match


@pytest.fixture
def solver(tmp_path, monkeypatch):
    """A function that reads a solver's text as the file runs/lenet.v2.prototxt of the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()

    def read(text):
        (tmp_path / "runs/lenet.v2.prototxt").write_text(text)
        return read_solver("runs/lenet.v2.prototxt")

    return read


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("SGD", "SGD"),
        ("NESTEROV", "Nesterov"),
        ("ADAGRAD", "AdaGrad"),
        ("RMSPROP", "RMSProp"),
        ("ADADELTA", "AdaDelta"),
        ("ADAM", "Adam"),
        ("5", "Adam"),
    ],
)
def test_solver_type(solver, old, new):
    document = solver(f'net: "net.prototxt"\nsolver_type: {old}')
    assert document.message.type == new
    assert not document.message.HasField("solver_type")
    assert document.lines.place("type").line == 2


def test_every_solver_type_is_known():
    for value in schema.SolverParameter.DESCRIPTOR.fields_by_name["solver_type"].enum_type.values:
        document = parse(f"solver_type: {value.number}", schema.SolverParameter)
        assert upgrade_solver(document).message.type.upper() == value.name


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        ("base_lr: 1", "runs/lenet.v2"),
        ('snapshot_prefix: "runs/other"', "runs/other"),
        ('snapshot_prefix: "runs"', "runs/lenet.v2"),
        ('snapshot_prefix: "runs/"', "runs/lenet.v2"),
    ],
)
def test_snapshot_prefix(solver, text, prefix):
    document = solver(text)
    assert document.message.snapshot_prefix == prefix
    assert_lines_match(document)


def test_snapshot_prefix_is_left_without_a_path():
    document = parse("base_lr: 1", schema.SolverParameter, "solver.prototxt")
    assert not upgrade_solver(document).message.HasField("snapshot_prefix")


def test_nets_inside_are_upgraded(solver, caplog):
    document = solver(
        'net_param { layers {\n name: "a" type: RELU } }\n'
        'test_net_param { input: "x" input_dim: [1, 1, 1, 1] }\n'
        'test_net_param { layer { name: "b" } }\n'
        "solver_type: ADAM"
    )
    assert document.message.net_param.layer[0].type == "ReLU"
    assert document.lines.place("net_param", "layer", 0, "name").line == 2
    assert [layer.name for net in document.message.test_net_param for layer in net.layer] == ["input", "b"]
    assert_lines_match(document)
    old = "solver_type, V1 layers, inputs beside the layers"
    assert caplog.messages == [
        f"runs/lenet.v2.prototxt: upgraded from an old form ({old}); `netcli upgrade` rewrites the file"
    ]
