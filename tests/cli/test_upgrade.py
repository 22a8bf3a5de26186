import os

import pytest
from click.testing import CliRunner

from netcli.cli.upgrade import command
from netcli.prototxt import read_net, read_solver, schema

OLD = """# a comment
input: "data"
input_dim: 1 input_dim: 1 input_dim: 4 input_dim: 4
layers { name: "relu" type: RELU bottom: "data" top: "relu" }
"""
NEW = """\
layer {
  name: "input"
  type: "Input"
  top: "data"
  input_param {
    shape {
      dim: 1
      dim: 1
      dim: 4
      dim: 4
    }
  }
}
layer {
  name: "relu"
  type: "ReLU"
  bottom: "data"
  top: "relu"
}
"""


@pytest.fixture
def old(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "old.prototxt").write_text(OLD)
    return tmp_path / "old.prototxt"


def test_a_net(netcli, old, tmp_path):
    assert netcli("upgrade", "old.prototxt", "new.prototxt") == (0, "", "")
    assert (tmp_path / "new.prototxt").read_text() == NEW
    assert old.read_text() == OLD
    assert read_net("new.prototxt").message == read_net("old.prototxt").message


def test_in_place(netcli, old, tmp_path):
    assert netcli("upgrade", "old.prototxt", "old.prototxt") == (0, "", "")
    assert old.read_text() == NEW
    assert list(tmp_path.iterdir()) == [old]


def test_to_stdout(netcli, old):
    assert netcli("upgrade", "old.prototxt", "-") == (0, NEW, "")


def test_what_is_not_old_is_written_as_it_stands(netcli, old):
    text = '# my net\nlayer { name: "a" type: "ReLU" } # caf\xe9\n'.encode("latin-1")
    old.write_bytes(text)
    status, out, err = netcli("upgrade", "old.prototxt", "new.prototxt")
    assert (status, out, err) == (0, "", "old.prototxt: nothing in this net is old\n")
    assert (old.parent / "new.prototxt").read_bytes() == text
    assert CliRunner().invoke(command, ["old.prototxt", "-"]).stdout_bytes == text


def test_a_solver_keeps_its_snapshot_prefix(netcli, old, tmp_path):
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" solver_type: NESTEROV')
    status, out, _ = netcli("upgrade", "solver.prototxt", "-")
    assert (status, out) == (0, 'net: "net.prototxt"\ntype: "Nesterov"\n')
    assert netcli("upgrade", "solver.prototxt", "solver.prototxt")[0] == 0
    assert read_solver("solver.prototxt").message.type == "Nesterov"


V1 = {"name": "n", "layers": [{"name": "ip", "type": "INNER_PRODUCT", "blobs": [{"data": [1, 2], "num": 2}]}]}


def test_a_caffemodel_in_place(netcli, old, tmp_path):
    net = schema.NetParameter(**V1)
    old.write_bytes(net.SerializeToString())
    assert netcli("upgrade", "old.prototxt", "old.prototxt") == (0, "", "")
    new = schema.NetParameter.FromString(old.read_bytes())
    assert [(layer.name, layer.type, list(layer.blobs)) for layer in new.layer] == [
        ("ip", "InnerProduct", list(net.layers[0].blobs))
    ]
    assert list(tmp_path.iterdir()) == [old]
    before = old.read_bytes()
    assert netcli("upgrade", "old.prototxt", "new") == (0, "", "old.prototxt: nothing in this net is old\n")
    assert (tmp_path / "new").read_bytes() == before
    assert CliRunner().invoke(command, ["old.prototxt", "-"]).stdout_bytes == before


def test_a_binary_solver(netcli, old):
    solver = schema.SolverParameter(net="net.prototxt", base_lr=0.5, solver_type="ADAM", net_param=V1)
    old.write_bytes(solver.SerializeToString())
    assert netcli("upgrade", "old.prototxt", "new") == (0, "", "")
    new = schema.SolverParameter.FromString((old.parent / "new").read_bytes())
    assert (new.type, new.base_lr, new.net, new.HasField("solver_type")) == ("Adam", 0.5, "net.prototxt", False)
    assert new.net_param.layer[0].type == "InnerProduct"
    assert netcli("upgrade", "new", "new") == (0, "", "new: nothing in this solver is old\n")


def test_a_pipe(netcli, old):
    """As of `netcli upgrade <(sed ...) OUT`."""
    reading, writing = os.pipe()
    os.write(writing, OLD.encode())
    os.close(writing)
    assert netcli("upgrade", f"/dev/fd/{reading}", "-") == (0, NEW, "")
    os.close(reading)


@pytest.mark.parametrize(
    ("content", "target", "fault"),
    [
        (
            schema.NetParameter(**V1).SerializeToString()[:-1],
            "new",
            "old.prototxt: is no whole net: the file ends too soon",
        ),
        (b"\x0a\x05LeNet", "new", "old.prototxt: is neither a binary net nor a binary solver"),
        (b"layers { nme: 'x' }", "new", "old.prototxt:1: V1LayerParameter has no field 'nme'; did you mean 'name'?"),
        (b"item { label: 1 }", "new", "old.prototxt: is a label map, which has no old form"),
        (OLD.encode(), ".", ".: is a folder; OUT is the file to write"),
        (OLD.encode(), "none/new", "none/new: can't be written: there is no folder none"),
    ],
)
def test_faults(netcli, old, content, target, fault):
    old.write_bytes(content)
    assert netcli("upgrade", "old.prototxt", target) == (2, "", f"netcli: {fault}\n")
    assert old.read_bytes() == content
