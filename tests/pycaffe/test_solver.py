"""Solvers as programs drive them."""

import re

import numpy as np
import pytest

from netcli import pycaffe as caffe
from netcli.errors import NetcliError
from training.project import weights_of

pytestmark = pytest.mark.usefixtures("device")  # solvers on a card are used as those on the CPU are


@pytest.fixture(autouse=True)
def quiet():
    caffe.init_log(2)
    yield
    caffe.init_log()


@pytest.fixture
def solver(project):
    return caffe.get_solver(str(project.solver))


def learned(net):
    return [blob.data.copy() for blobs in net.params.values() for blob in blobs]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_solving_gives_the_weights_of_the_command_line(project, solver):
    wanted = weights_of(project.train())
    solver.solve()
    assert solver.iter == 12
    for a, b in zip(learned(solver.net), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    again = caffe.SGDSolver(project.solver)
    again.solve()
    assert same(learned(again.net), learned(solver.net))


def test_stepping_is_solving_by_pieces(project, solver):
    solver.solve()
    other = caffe.SGDSolver(project.solver)
    for count in (1, 4, 7):
        other.step(count)
    assert other.iter == 12
    assert same(learned(other.net), learned(solver.net))
    other.step(3)  # whatever max_iter says
    assert other.iter == 15


def test_looking_at_everything_on_the_way_changes_nothing_much(project, solver):
    solver.step(6)
    other = caffe.SGDSolver(project.solver)
    held = []
    for _ in range(6):
        held += [(blob.data, blob.diff) for blob in other.net.blobs.values()]
        held += [(blob.data, blob.diff) for blobs in other.net.params.values() for blob in blobs]
        other.step(1)
    for a, b in zip(learned(other.net), learned(solver.net), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    assert np.array_equal(held[0][0], other.net.blobs["data"].data)  # the first view is live


def test_test_nets_have_the_weights_of_the_training_net(solver):
    assert len(solver.test_nets) == 1
    test = solver.test_nets[0]
    before = test.params["ip2"][0].data.copy()
    solver.step(2)
    np.testing.assert_array_equal(test.params["ip2"][0].data, solver.net.params["ip2"][0].data)
    assert not np.array_equal(test.params["ip2"][0].data, before)
    assert set(test.forward()) == {"accuracy", "loss"}


def test_apply_update_takes_one_step_from_the_gradients_there_are(project):
    project.write("momentum: 0\nweight_decay: 0")
    solver = caffe.SGDSolver(project.solver)
    blob = solver.net.params["ip1"][1]  # lr_mult: 2
    blob.data[...] = 0
    blob.diff[...] = 1
    solver.apply_update()
    np.testing.assert_allclose(blob.data, -0.2, rtol=1e-6)
    assert solver.iter == 1
    assert not list(project.folder.glob("*.caffemodel"))


def test_the_program_can_run_the_passes_itself(project, solver):
    project.write("test_interval: 100")
    by_hand = caffe.SGDSolver(project.solver)
    for _ in range(3):
        by_hand.net.clear_param_diffs()
        by_hand.net.forward()
        by_hand.net.backward()
        by_hand.apply_update()
    solver.step(3)
    assert same(learned(by_hand.net), learned(solver.net))


def test_the_learning_rate_follows_the_policy_and_the_program(solver):
    assert solver.lr == pytest.approx(0.1)
    solver.step(2)
    assert solver.lr == pytest.approx(0.1 * 1.02**-0.75)
    solver.param.base_lr = 0.0
    assert solver.lr == 0
    assert solver.param.max_iter == 12
    assert solver.param.display == 2


def test_snapshots_are_written_when_asked_for_and_restored(project, solver):
    solver.step(3)
    solver.snapshot()
    weights = learned(solver.net)
    state = f"{project.prefix}_iter_3.solverstate"
    solver.net.params["ip1"][0].data[...] = 0
    solver.snapshot()  # once more, with what there is now
    other = caffe.SGDSolver(project.solver)
    other.restore(state)
    assert other.iter == 3
    assert not other.net.params["ip1"][0].data.any()
    assert np.array_equal(other.net.params["ip2"][0].data, weights[2])


def test_a_training_restored_goes_on_to_the_same_numbers(project, solver):
    solver.solve()
    other = caffe.SGDSolver(project.solver)
    other.solve(f"{project.prefix}_iter_5.solverstate")
    assert other.iter == 12
    assert same(learned(other.net), learned(solver.net))


def test_callbacks_come_around_each_iterations_gradients(solver):
    seen = []
    gradient = solver.net.params["ip2"][0]
    solver.add_callback(lambda: seen.append(gradient.diff.any()), lambda: seen.append(gradient.diff.any()))
    solver.net.before_forward(lambda layer: seen.append(layer))
    solver.step(2)
    layers = list(range(len(solver.net.layers)))
    assert seen == [False, *layers, True] * 2


def test_weights_are_shared_with_another_net(project, solver):
    other = caffe.Net(project.net, caffe.TEST)
    solver.share_weights(other)
    solver.step(1)
    np.testing.assert_array_equal(other.params["ip1"][0].data, solver.net.params["ip1"][0].data)


@pytest.mark.parametrize("name", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_each_rule_has_its_class(project, name):
    more = {"AdaGrad": "momentum: 0", "RMSProp": "momentum: 0"}.get(name, "")
    project.write(f'type: "{name}"\n{more}')
    solver = caffe.get_solver(project.solver)
    assert type(solver) is getattr(caffe, f"{name}Solver")
    assert isinstance(solver, caffe.SGDSolver)
    before = learned(solver.net)
    solver.step(1)
    assert not same(before, learned(solver.net))


def test_a_class_goes_before_the_type_in_the_file(project):
    project.write('type: "Adam"')
    solver = caffe.SGDSolver(project.solver)
    solver.step(1)
    assert solver.param.type == "SGD"


def test_faults_are_exceptions_with_their_place(project):
    project.write('type: "Adom"')
    with pytest.raises(NetcliError, match=r"solver\.prototxt:\d+: there is no solver type 'Adom'; did you mean 'Adam'"):
        caffe.get_solver(project.solver)


def test_a_loss_that_is_no_number_ends_nothing(project):
    project.write("base_lr: 1e38")
    solver = caffe.SGDSolver(project.solver)
    solver.step(4)
    assert solver.iter == 4


def test_the_log_has_caffes_lines(project, capfd):
    caffe.init_log(0)
    solver = caffe.SGDSolver(project.solver)
    solver.step(3)
    caffe.log("a line of mine")
    lines = [line.partition("] ")[2] for line in capfd.readouterr().err.splitlines() if re.match(r"I\d{4} ", line)]
    assert "Iteration 0, Testing net (#0)" in lines
    assert any(re.match(r"Iteration 2 \(.* iter/s, .*s/2 iters\), loss = ", line) for line in lines)
    assert not any(line.startswith("Solving") for line in lines)
    assert lines[-1] == "a line of mine"


@pytest.mark.parametrize(("level", "is_said"), [("0", True), ("1", False), ("-1", True), ("--5", True), ("", True)])
def test_the_log_keeps_to_the_environments_level(monkeypatch, capfd, level, is_said):
    monkeypatch.setenv("GLOG_minloglevel", level)
    caffe.init_log()
    caffe.log("said")
    assert ("said" in capfd.readouterr().err) == is_said


NORMALISED = """
layer { name: "bn" type: "BatchNorm" bottom: "ip1" top: "ip1" }
layer { name: "scale" type: "Scale" bottom: "ip1" top: "ip1" scale_param { bias_term: true } }
layer { name: "relu1\"""".rstrip()


def test_layers_are_joined_while_nobody_runs_a_part_of_the_net(project):
    """What the command line joins a loop of steps does too, and a program can't tell."""
    project.net.write_text(project.net.read_text().replace('layer { name: "relu1"', NORMALISED))
    project.write("test_interval: 100")
    solver, by_hand = caffe.SGDSolver(project.solver), caffe.SGDSolver(project.solver)
    solver.step(2)
    joined = solver.net.engine.done_by
    assert joined != list(range(len(joined)))
    for _ in range(2):
        by_hand.net.clear_param_diffs()
        by_hand.net.forward()
        by_hand.net.backward()
        by_hand.apply_update()
    for a, b in zip(learned(solver.net), learned(by_hand.net), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    for name in ("ip1", "ip2"):
        for kind in ("data", "diff"):
            a, b = (getattr(each.net.blobs[name], kind) for each in (solver, by_hand))
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="wants a forward before it"):
        solver.net.backward()
    solver.net.forward(end="bn")
    assert solver.net.blobs["ip1"].data.min() < 0  # not yet behind the ReLU
