"""Programs of several threads whose nets compute on a card, which is emulated."""

import threading

import numpy as np
import pytest

from arrays.emulated.ops import CARD
from netcli import pycaffe as caffe
from pycaffe.nets import DATA, DEPLOY, convnet, written

pytestmark = pytest.mark.usefixtures("gpu")


def test_threads_use_nets_that_others_have_made(tmp_path):
    nets = [convnet(tmp_path) for _ in range(3)]
    want = float(nets[0].forward(data=DATA, label=[0, 1, 2, 3])["loss"])
    found = []

    def work(net):
        for _ in range(5):
            net.blobs["data"].data[...] = DATA
            net.blobs["label"].data[...] = [0, 1, 2, 3]
            loss = float(net.forward()["loss"])
            net.backward()
            net.clear_param_diffs()
            found.append(loss)
        net.blobs["data"].reshape(2, 3, 9, 8)
        net.blobs["label"].reshape(2)
        net.reshape()
        net.save(str(tmp_path / f"{id(net)}.caffemodel"))
        net.copy_from(str(tmp_path / f"{id(net)}.caffemodel"))
        caffe.Net(written(tmp_path, DEPLOY, f"{id(net)}.prototxt"), caffe.TEST).forward()
        found.append("done")

    threads = [threading.Thread(target=work, args=(net,)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found.count(want) == 15
    assert found.count("done") == 3


ASKED = {
    "a net is made": lambda net, solver, folder: convnet(folder),
    "a solver is made": lambda net, solver, folder: caffe.SGDSolver(folder / "solver.prototxt"),
    "forward": lambda net, solver, folder: net.forward(),
    "a part of a forward": lambda net, solver, folder: net.forward(end="conv"),
    "backward": lambda net, solver, folder: net.backward(),
    "reshape": lambda net, solver, folder: net.reshape(),
    "clear_param_diffs": lambda net, solver, folder: net.clear_param_diffs(),
    "share_with": lambda net, solver, folder: net.share_with(net),
    "save": lambda net, solver, folder: net.save(str(folder / "it.caffemodel")),
    "copy_from": lambda net, solver, folder: net.copy_from(str(folder / "weights.caffemodel")),
    "a look": lambda net, solver, folder: net.blobs["conv"].data,
    "step": lambda net, solver, folder: solver.step(1),
    "apply_update": lambda net, solver, folder: solver.apply_update(),
}


@pytest.mark.parametrize("what", list(ASKED))
def test_what_a_thread_asks_of_a_card_waits_for_its_turn(project, what):
    project.write("test_interval: 100 test_initialization: false display: 0")
    net, solver = convnet(project.folder), caffe.SGDSolver(project.solver)
    net.forward(data=DATA, label=[0, 1, 2, 3])
    net.save(str(project.folder / "weights.caffemodel"))
    done = []
    thread = threading.Thread(target=lambda: done.append(ASKED[what](net, solver, project.folder)))
    with CARD.turn:
        thread.start()
        thread.join(0.1)
        assert thread.is_alive()
    thread.join(60)
    assert len(done) == 1


def test_a_solver_that_another_thread_made(project):
    project.write("test_interval: 2 snapshot: 2 max_iter: 4")
    made = []
    thread = threading.Thread(target=lambda: made.append(caffe.SGDSolver(project.solver)))
    thread.start()
    thread.join()
    (solver,) = made

    def use():
        solver.step(2)
        solver.snapshot()
        solver.restore(f"{project.prefix}_iter_2.solverstate")
        solver.apply_update()
        solver.solve()
        made.append(solver.net.params["ip1"][0].data.copy())

    thread = threading.Thread(target=use)
    thread.start()
    thread.join()
    assert solver.iter == 4
    np.testing.assert_array_equal(made[1], solver.net.params["ip1"][0].data)
