import pytest

from arrays.emulated.ops import CARD
from netcli import pycaffe as caffe
from netcli.errors import NetcliError
from netcli.pycaffe import mode
from training.project import Project


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture
def card(monkeypatch):
    """The only card there is, emulated; no program has asked for it."""

    def found(number):
        if number:
            raise NetcliError(f"there is no card {number}: there is one, card 0")
        return CARD

    monkeypatch.setattr("netcli.training.cards.Card", found)
    monkeypatch.setattr(mode._Process, "cards", {})
    yield CARD
    caffe.set_device(0)
    caffe.set_mode_cpu()


@pytest.fixture(params=["cpu", "gpu"])
def device(request):
    """What the test's nets and solvers compute on."""
    if request.param == "gpu":
        request.getfixturevalue("card")
        caffe.set_mode_gpu()
    return request.param


@pytest.fixture
def gpu(card):
    """Nets and solvers are built on the card."""
    caffe.init_log(2)
    caffe.set_device(0)
    caffe.set_mode_gpu()
    yield
    caffe.init_log()
