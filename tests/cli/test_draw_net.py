import pytest

from pycaffe.programs import put_dot, take_dot_away

NET = """
name: "small"
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 8 dim: 3 } shape { dim: 8 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "extra" type: "ReLU" bottom: "ip" top: "extra" include { phase: TRAIN stage: "all" } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" include { phase: TRAIN } }
"""
OLD = """
input: "data"
input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 4
layers { name: "r" type: RELU bottom: "data" top: "r" }
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" train_state { stage: "all" } test_iter: 1 test_interval: 1 base_lr: 0.1 lr_policy: "fixed"'
    )
    return tmp_path


def layers(folder, out="out.dot"):
    """The names of the layers that a text has."""
    lines = (folder / out).read_text().splitlines()
    return [line.split()[1] for line in lines if line.startswith('"layer ') and "->" not in line]


def test_a_net_of_all_phases(netcli, folder):
    assert netcli("draw-net", "net.prototxt", "out.dot") == (0, "", "")
    assert layers(folder) == ["data", "ip", "extra", "accuracy", "loss"]
    assert 'digraph "small" {\nrankdir=LR;' in (folder / "out.dot").read_text()


def test_a_net_of_a_phase_and_a_stage(netcli, folder):
    assert netcli("draw-net", "net.prototxt", "out.dot", "--phase", "TEST") == (0, "", "")
    assert layers(folder) == ["data", "ip", "accuracy"]
    assert netcli("draw-net", "net.prototxt", "out.dot", "--phase", "TRAIN")[0] == 0
    assert layers(folder) == ["data", "ip", "loss"]
    assert netcli("draw-net", "net.prototxt", "out.dot", "--phase", "TRAIN", "--stage", "all")[0] == 0
    assert layers(folder) == ["data", "ip", "extra", "loss"]


def test_the_net_a_solver_trains_or_tests(netcli, folder):
    assert netcli("draw-net", "solver.prototxt", "out.dot", "--phase", "TRAIN") == (0, "", "")
    assert layers(folder) == ["data", "ip", "extra", "loss"]
    assert netcli("draw-net", "solver.prototxt", "out.dot", "--phase", "TEST")[0] == 0
    assert layers(folder) == ["data", "ip", "accuracy"]
    assert netcli("draw-net", "solver.prototxt", "out.dot")[0] == 0
    assert layers(folder) == ["data", "ip", "extra", "accuracy", "loss"]


def test_an_old_net_is_upgraded(netcli, folder):
    (folder / "old.prototxt").write_text(OLD)
    assert netcli("draw-net", "old.prototxt", "out.gv")[0] == 0
    assert layers(folder, "out.gv") == ["input", "r"]


def test_direction_and_learning_rates(netcli, folder):
    assert netcli("draw-net", "net.prototxt", "out.dot", "--rankdir", "BT", "--display-lrm")[0] == 0
    text = (folder / "out.dot").read_text()
    assert "rankdir=BT;" in text
    assert 'label="ip (InnerProduct) lr mult: 1.0, 1.0"' in text


def test_pictures_are_drawn_by_dot(netcli, folder, monkeypatch):
    put_dot(folder / "bin", monkeypatch)
    netcli("draw-net", "net.prototxt", "out.dot")
    assert netcli("draw-net", "net.prototxt", "out.PNG") == (0, "", "")
    assert (folder / "out.PNG").read_text() == "-Tpng\n" + (folder / "out.dot").read_text()


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("net.prototxt", "out.doc"), "out.doc: is to end in the form of its picture: .dot, .eps, .gif, .gv, "),
        (("net.prototxt", "out"), "out: is to end in the form of its picture: "),
        (("none.prototxt", "out.dot"), "none.prototxt: "),
        (("net.prototxt", "none/out.dot"), "none/out.dot: can't be written: there is no folder none"),
        (("net.prototxt", "out.png"), "a picture of the form png needs Graphviz's program dot, "),
        (("net.prototxt", "out.dot", "--stage", "all"), "--level and --stage choose among the layers of one phase; "),
        (("labels.prototxt", "out.dot"), "labels.prototxt: is a label map, neither a net nor a solver"),
    ],
)
def test_faults(netcli, folder, monkeypatch, arguments, fault):
    take_dot_away(monkeypatch)
    (folder / "labels.prototxt").write_text("item { label: 1 }")
    before = sorted(folder.iterdir())
    status, out, err = netcli("draw-net", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"netcli: {fault}")
    assert sorted(folder.iterdir()) == before


def test_a_picture_that_can_not_be_drawn_leaves_the_old_one(netcli, folder, monkeypatch):
    take_dot_away(monkeypatch)
    (folder / "out.png").write_bytes(b"old")
    assert netcli("draw-net", "net.prototxt", "out.png")[0] == 2
    assert (folder / "out.png").read_bytes() == b"old"
