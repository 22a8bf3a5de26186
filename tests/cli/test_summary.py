import json

import pytest
from click.testing import CliRunner

from arrays.onednn_arrays import needs_onednn
from databases import make_images, make_lmdb
from netcli.cli.summary import command
from netcli.errors import NetcliError

NET = """
name: "small"
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 8 dim: 3 dim: 10 dim: 10 } shape { dim: 8 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 4 kernel_size: 3 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip" inner_product_param { num_output: 5 } }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""

TRAIN = """\
small

layer  type             output        parameters  multiply-adds
data   DummyData        8x3x10x10, 8
conv   Convolution      8x4x8x8              112         55,296
relu   ReLU             8x4x8x8
ip     InnerProduct     8x5                1,285         10,240
loss   SoftmaxWithLoss  1
                                           1,397         65,536
"""


def run(*arguments):
    result = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def layers_of(output):
    return output.split("\n\n")[1]


def memory_of(*arguments):
    return json.loads(run(*arguments, "--json"))["memory"]


@pytest.fixture
def net(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(NET)
    return path


@pytest.fixture
def solver(tmp_path, net):
    path = tmp_path / "solver.prototxt"
    path.write_text(
        f'net: "{net}" type: "Adam" base_lr: 0.1 lr_policy: "fixed" max_iter: 1 test_iter: 1 test_interval: 1\n'
    )
    return path


def test_the_table(net):
    assert run(net).startswith(TRAIN)


def test_the_memory_of_training(net):
    lines = run(net).split("\n\n")[-1].splitlines()
    parts = ["parameters", "gradients", "activations", "work", "program", "memory"]
    assert [line.split()[0] for line in lines if not line.startswith("kept")] == parts
    assert lines[0].split()[1:] == ["5.5", "KiB"]
    assert lines[1].split()[1:] == ["5.5", "KiB"]


def test_a_solver_adds_its_history(solver):
    lines = run(solver).split("\n\n")[-1].splitlines()
    assert lines[2].split() == ["Adam's", "history", "10.9", "KiB"]


def test_json_has_layers_and_bytes(solver):
    found = json.loads(run(solver, "--json"))
    assert found["net"] == "small"
    assert found["layers"][1] == {
        "name": "conv",
        "type": "Convolution",
        "outputs": [[8, 4, 8, 8]],
        "parameters": 112,
        "multiply_adds": 55296,
    }
    memory = found["memory"]
    peak = memory.pop("peak")
    assert peak == sum(memory.values())
    assert memory["history"] == 2 * memory["gradients"] == 2 * 4 * 1397


def test_a_solver_tells_what_its_test_net_takes_beside_the_net_to_train(net, solver):
    # Only what does not lie in the memory of the net to train: data, labels, accuracy, loss, probabilities.
    assert memory_of(solver)["test_nets"] == 4 * (8 * 3 * 10 * 10 + 8 + 1 + 1 + 8 * 5)
    assert "test_nets" not in memory_of(solver, "--phase", "TEST")
    assert "test_nets" not in memory_of(net)


def test_the_plain_bodies_have_a_work_space_of_their_own(net):
    plain = memory_of(net, "--engine", "plain")
    assert plain["kept"] >= 4 * 8 * 8 * 8 * 27  # the windows of conv, unrolled
    assert plain["activations"] == memory_of(net)["activations"]


@needs_onednn
def test_gradients_summed_over_passes_take_more(net, solver):
    net.write_text(NET.replace("num_output: 5", "num_output: 5000"))  # whose gradient is most of all there is
    once = memory_of(solver)
    solver.write_text(solver.read_text() + "iter_size: 2\n")
    assert memory_of(solver)["work_space"] > 4 * 4 * 8 * 8 * 5000 > once["work_space"]


def test_batches_made_ahead_take_memory_too(tmp_path):
    db = make_lmdb(tmp_path / "db", make_images(3, (3, 64, 64)))
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "data" type: "Data" top: "data" top: "label" '
        f'data_param {{ source: "{db}" backend: LMDB batch_size: 16 prefetch: 3 }} }}\n'
    )
    activations, ahead, *_ = run(tmp_path / "net.prototxt").split("\n\n")[-1].splitlines()
    assert activations.split()[-2:] == ["768.1", "KiB"]
    assert ahead.startswith("batches made ahead")
    assert ahead.split()[-2:] == ["2.3", "MiB"]  # three, each of 768 KiB


def test_the_test_net(net, solver):
    for path in (net, solver):
        output = run(path, "--phase", "TEST")
        assert "accuracy  Accuracy" in output
        assert "gradients" not in output
        assert "history" not in output


def test_another_batch(net):
    output = run(net, "--batch", 64)
    assert "64x4x8x8" in output
    assert "64x3x10x10, 64" in output


def test_a_fault_is_told(net):
    net.write_text(NET.replace("kernel_size: 3", "kernel_size: 30"))
    with pytest.raises(NetcliError, match="kernel 30x30 does not fit padded input 10x10") as caught:
        run(net)
    assert str(caught.value).startswith(f"{net}:6: layer 'conv' (Convolution): ")


def test_a_label_map_is_neither(tmp_path):
    path = tmp_path / "labels.prototxt"
    path.write_text('item { name: "cat" label: 1 display_name: "cat" }\n')
    with pytest.raises(NetcliError) as caught:
        run(path)
    assert str(caught.value) == f"{path}: is a label map, neither a net nor a solver"


def test_a_solver_without_a_test_net(tmp_path, net):
    path = tmp_path / "solver.prototxt"
    path.write_text(f'net: "{net}" base_lr: 0.1 lr_policy: "fixed" max_iter: 1\n')
    with pytest.raises(NetcliError) as caught:
        run(path, "--phase", "TEST")
    assert str(caught.value) == f"{path}: this solver has no test net; give the net itself"


TRAIN_VAL = NET.replace(
    NET[NET.index("layer {") : NET.index('layer { name: "conv"')],
    'layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "none" batch_size: 4 } }\n',
)


def test_inputs_in_place_of_data_that_is_not_here(net):
    net.write_text(TRAIN_VAL)
    with pytest.raises(NetcliError):
        run(net)
    output = run(net, "--input", "data=4x3x10x10")
    assert "data   Input            4x3x10x10, 4" in output
    again = run(net, "--input", "data=4,3,10,10", "--input", "label=4")
    assert layers_of(output) == layers_of(again)


def test_an_input_that_nobody_makes(net):
    with pytest.raises(NetcliError) as caught:
        run(net, "--input", "date=4x3")
    assert str(caught.value) == f"{net}: no data layer makes a blob 'date'; did you mean 'data'?"


def test_a_shape_that_is_none(net):
    result = CliRunner().invoke(command, [str(net), "--input", "data=4xx3"])
    assert result.exit_code == 2
    assert "'data=4xx3' is not like data=64x3x227x227" in result.output
