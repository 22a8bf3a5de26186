"""Nets with Python layers at the command line."""

import sys

import pytest

MODULE = """
import numpy as np

class Loss:
    def setup(self, bottom, top):
        self.weight = float(self.param_str)

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        top[0].data[0] = self.weight * np.square(bottom[0].data - 1).sum()

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 2 * self.weight * top[0].diff * (bottom[0].data - 1)
"""

NET = """\
name: "tiny"
layer { name: "x" type: "DummyData" top: "x" dummy_data_param { shape { dim: 4 dim: 3 } data_filler { value: 1 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 2 } }
layer {
  name: "loss" type: "Python" bottom: "ip" top: "loss" loss_weight: 1
  python_param { module: "users_loss" layer: "Loss" param_str: "0.1" }
}
"""

SOLVER = 'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" max_iter: 30 display: 1 snapshot_prefix: "tiny"'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "users_loss.py").write_text(MODULE)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    yield tmp_path
    for name in ("users_loss", "caffe"):
        sys.modules.pop(name, None)


def test_trains_with_a_loss_of_the_users(folder, netcli):
    status, out, err = netcli("train", "solver.prototxt", "--allow-python")
    assert (status, err) == (0, "")
    assert "trained 30 iterations" in out
    status, out, err = netcli(
        "test", "net.prototxt", "--weights", "tiny_iter_30.caffemodel", "--allow-python", "--iterations", "1"
    )
    assert status == 0, err
    assert float(out.split("loss = ")[-1].split()[0]) < 1e-3  # 0.8 at the start


def test_layers_written_for_pycaffe_run_as_they_are(folder, netcli):
    text = MODULE.replace("import numpy as np", "import caffe\nimport numpy as np").replace(
        "Loss:", "Loss(caffe.Layer):"
    )
    (folder / "users_loss.py").write_text(text)
    status, out, err = netcli("train", "solver.prototxt", "--allow-python")
    assert (status, err) == (0, "")
    assert "trained 30 iterations" in out
    assert sys.modules["caffe"].__name__ == "netcli.pycaffe"


@pytest.mark.parametrize("command", [["train", "solver.prototxt"], ["summary", "net.prototxt"]])
def test_asks_before_it_runs_code(folder, netcli, command):
    status, _, err = netcli(*command)
    assert status == 2
    assert err == (
        "netcli: net.prototxt:6: layer 'loss' (Python): the net wants to run the Python module 'users_loss'; "
        "give --allow-python if you trust its code\n"
    )
    assert "users_loss" not in sys.modules


@pytest.mark.parametrize("command", [["summary", "net.prototxt"], ["check", "net.prototxt", "solver.prototxt"]])
def test_other_commands_build_such_nets(folder, netcli, command):
    status, _, err = netcli(*command, "--allow-python")
    assert (status, err) == (0, "")


def test_a_fault_of_the_users_code_keeps_its_traceback(folder, netcli):
    (folder / "net.prototxt").write_text(NET.replace('"0.1"', '"a tenth"'))
    with pytest.raises(ValueError, match="a tenth"):
        netcli("train", "solver.prototxt", "--allow-python")


def test_caffes_spelling_needs_leave_too(folder, netcli, monkeypatch):
    monkeypatch.setenv("GLOG_logtostderr", "1")
    text = MODULE.replace("class Loss:", "class Loss(caffe.Layer):").replace(
        "import numpy", "import caffe\nimport numpy"
    )
    (folder / "users_loss.py").write_text(text)
    status, _, err = netcli("caffe", "train", "-solver", "solver.prototxt")
    assert status == 2
    assert "--allow-python" in err
    assert netcli("caffe", "train", "-solver", "solver.prototxt", "-allow_python")[0] == 0
