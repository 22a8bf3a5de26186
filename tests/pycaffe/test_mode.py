"""What a program sets for the whole process."""

import pytest

from netcli import pycaffe as caffe
from netcli.errors import NetcliError
from netcli.pycaffe import mode


def test_layer_types_are_those_of_prototxts():
    types = caffe.layer_type_list()
    assert types == sorted(types)
    assert {"Convolution", "Python", "LSTM", "SoftmaxWithLoss"} <= set(types)


def test_a_gpu_that_is_asked_for_is_warned_of_once(monkeypatch, caplog):
    monkeypatch.setattr(mode._Process, "warned", False)
    for _ in range(2):
        caffe.set_device(0)
        caffe.set_mode_gpu()
    caffe.set_mode_cpu()
    assert [record.getMessage() for record in caplog.records] == [
        "set_mode_gpu: programs of pycaffe run on the CPU alone yet"
    ]


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
