import pytest
from click.testing import CliRunner

from netcli.cli.upgrade import command
from netcli.prototxt import read_net, read_solver

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


@pytest.mark.parametrize(
    ("content", "target", "fault"),
    [
        (b"\x0a\x05LeNet", "new", "old.prototxt: is a binary file, not prototxt text; is it a caffemodel?"),
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
