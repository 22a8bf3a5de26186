import json

import numpy as np
import pytest

from arrays.emulated.no_card import NO_CARD
from netcli.arrays.ops import Ops
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.prototxt import read_net
from netcli.snapshots import read_weights
from training.project import RECORDS, Project


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with weights, and their path."""
    project = Project(tmp_path_factory.mktemp("trained"))
    session = project.open()
    session.trainer().train()
    weights = str(project.folder / "w.caffemodel")
    session.net.save(weights)
    session.close()
    return project, weights


def expected(project, weights, batches):
    """Mean accuracy and loss, by passes of the net alone."""
    net = Net(read_net(str(project.net)), TEST, ops=Ops("plain"))
    net.load(read_weights(weights))
    rows = []
    for _ in range(batches):
        net.forward()
        rows.append([float(net.blobs[name].data) for name in ("accuracy", "loss")])
    net.close()
    return np.mean(rows, axis=0)


def test_a_net(trained, netcli):
    project, weights = trained
    accuracy, loss = expected(project, weights, 4)
    status, out, err = netcli("test", project.net, "--weights", weights, "--iterations", 4)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"Loss: {loss:g}",
        f"accuracy = {accuracy:g}",
        f"loss = {loss:g} (* 1 = {loss:g} loss)",
        f"(means over 4 batches: 12 records, of a source of {RECORDS})",
    ]


def test_fifty_batches_as_caffe_where_nothing_is_said(trained, netcli):
    project, weights = trained
    _, out, _ = netcli("test", project.net, "--weights", weights)
    assert f"(means over 50 batches: 150 records, of a source of {RECORDS})" in out


def test_a_solvers_test_iter(trained, netcli):
    project, weights = trained
    status, out, _ = netcli("test", project.solver, "--weights", weights, "--json")
    result = json.loads(out)
    accuracy, loss = expected(project, weights, 5)
    assert status == 0
    assert result["iterations"] == 5
    assert result["records"] == 15
    assert result["outputs"] == pytest.approx({"accuracy": accuracy, "loss": loss})
    assert result["loss"] == pytest.approx(loss)


def test_all_of_a_source_is_told(trained, netcli):
    project, weights = trained
    _, out, _ = netcli("test", project.net, "--weights", weights, "--iterations", RECORDS)
    assert f"all {RECORDS} records, 3 times" in out


def test_every_batch(trained, netcli):
    project, weights = trained
    _, out, _ = netcli("test", project.net, "--weights", weights, "--iterations", 2, "--batches")
    assert [line.split(" = ")[0] for line in out.splitlines()[:4]] == [
        *("Batch 0, accuracy", "Batch 0, loss", "Batch 1, accuracy", "Batch 1, loss")
    ]


def test_several_test_nets_are_a_list(trained, netcli):
    project, weights = trained
    project.write("test_iter: 2 test_iter: 3")
    _, out, _ = netcli("test", project.solver, "--weights", weights, "--json")
    assert [result["iterations"] for result in json.loads(out)] == [2, 3]
    _, out, _ = netcli("test", project.solver, "--weights", weights)
    heads = [line for line in out.splitlines() if line.startswith("Test net")]
    assert heads == [f"Test net #{number} (net file: {project.net})" for number in (0, 1)]
    project.write()


def test_layers_without_weights_are_told(trained, netcli, tmp_path):
    project, weights = trained
    renamed = tmp_path / "net.prototxt"
    renamed.write_text(project.net.read_text().replace('name: "ip2"', 'name: "ip2_new"'))
    status, _, err = netcli("test", renamed, "--weights", weights, "--iterations", 1)
    assert status == 0
    assert err == f"warning: {weights} has no weights for layer 'ip2_new', which keeps its first values\n"


def test_ten_crops(trained, netcli):
    project, weights = trained
    status, out, err = netcli("test", project.net, "--weights", weights, "--iterations", 4, "--ten-crop")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert [line.split(" = ")[0] for line in lines[1:3]] == ["accuracy", "loss"]
    assert lines[3] == f"(means over 4 batches: 12 records, of a source of {RECORDS}; of each image 10 crops)"
    _, out, _ = netcli("test", project.solver, "--weights", weights, "--scales", "6,8", "--ten-crop", "--json")
    result = json.loads(out)
    assert (result["views"], result["records"]) == ("10 crops at short sides of 6, 8", 15)


def test_wrong(trained, netcli, tmp_path):
    project, weights = trained
    other = tmp_path / "net.prototxt"
    other.write_text(project.net.read_text().replace("num_output: 3", "num_output: 4"))
    alone = tmp_path / "solver.prototxt"
    alone.write_text(f'train_net: "{project.net}" base_lr: 1 lr_policy: "fixed" max_iter: 1')
    for arguments, message in [
        (["none.prototxt", "--weights", weights], "netcli: none.prototxt: there is no such file"),
        ([project.net], "Error: Missing option '--weights'."),
        ([project.net, "--weights", "none"], "netcli: none: "),
        ([project.net, "--weights", "x.solverstate"], "netcli: x.solverstate: is a solver state; the weights are in"),
        ([other, "--weights", weights], f"netcli: {weights}: layer 'ip2' holds (3, 8), the net wants (4, 8); rename"),
        ([alone, "--weights", weights], f"netcli: {alone}: the solver has no test net; give the net to test instead"),
        ([project.net, "--weights", weights, "--gpu", "0"], f"netcli: {NO_CARD}"),
        ([project.net, "--weights", weights, "--iterations", "0"], "Error: Invalid value for '--iterations'"),
    ]:
        status, out, err = netcli("test", *arguments)
        assert (status, out) == (2, "")
        assert err.splitlines()[-1].startswith(message)
