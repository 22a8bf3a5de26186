"""What a program sets for the whole process."""

import pytest

from arrays.emulated.no_card import NO_CARD
from netcli import pycaffe as caffe
from netcli.arrays.device import CPU
from netcli.errors import NetcliError
from netcli.pycaffe import mode
from pycaffe.nets import DEPLOY, written


def test_layer_types_are_those_of_prototxts():
    types = caffe.layer_type_list()
    assert types == sorted(types)
    assert {"Convolution", "Python", "LSTM", "SoftmaxWithLoss"} <= set(types)


def test_a_card_that_cannot_be_used_is_told_when_a_net_is_built(tmp_path, card, caplog):
    caffe.set_mode_gpu()
    caffe.set_device(3)
    path = written(tmp_path, DEPLOY)
    assert caplog.records == []
    for _ in range(2):
        net = caffe.Net(path, caffe.TEST)
        assert net.engine.context.device is CPU
    assert [record.getMessage() for record in caplog.records] == [
        "set_mode_gpu: there is no card 3: there is one, card 0; the CPU computes"
    ]
    caffe.set_device(0)
    assert caffe.Net(path, caffe.TEST).engine.context.device is card
    caffe.set_mode_cpu()
    assert caffe.Net(path, caffe.TEST).engine.context.device is CPU
    with pytest.raises(TypeError):
        caffe.set_device(0.5)


@pytest.mark.skipif(NO_CARD is None, reason="this machine has a card")
def test_without_a_card_the_cpu_computes(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(mode._Process, "cards", {})
    monkeypatch.setattr(mode._Process, "gpu", False)
    caffe.set_mode_gpu()
    assert set(caffe.Net(written(tmp_path, DEPLOY), caffe.TEST).forward()) == {"prob"}
    assert [record.getMessage() for record in caplog.records] == [f"set_mode_gpu: {NO_CARD}; the CPU computes"]


def test_what_is_built_inside_goes_on_the_device_that_is_given(card):
    with mode.building_on(card):
        assert mode.device() is card
    assert mode.device() is CPU


def test_one_solver_is_all_there_is():
    caffe.set_solver_count(1)
    caffe.set_solver_rank(0)
    caffe.set_multiprocess(False)
    assert (caffe.solver_count(), caffe.solver_rank(), caffe.has_nccl()) == (1, 0, False)
    for call in (
        lambda: caffe.set_solver_count(2),
        lambda: caffe.set_solver_rank(1),
        lambda: caffe.set_multiprocess(True),
        lambda: caffe.NCCL(None, b"uid"),
    ):
        with pytest.raises(NetcliError, match="share a training"):
            call()


def test_the_stopwatch_stops(monkeypatch):
    now = iter([10.0, 10.25, 11.0, 11.5])
    monkeypatch.setattr("time.perf_counter", lambda: next(now))
    timer = caffe.Timer()
    assert timer.ms == 0
    timer.start()
    timer.stop()
    assert timer.ms == 250
    timer.start()
    assert timer.ms == 500  # which stops it
    assert timer.ms == 500
