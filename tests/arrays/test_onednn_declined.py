"""What oneDNN's bodies decline, what they mend, and what happens without the library."""

import logging
from functools import cache

import numpy as np
import pytest

from arrays.onednn_arrays import F4, array, needs_onednn, parameter
from netcli.arrays import bodies
from netcli.arrays.onednn import library
from netcli.arrays.onednn.activation import Activation
from netcli.arrays.onednn.batch_norm import BatchNorm
from netcli.arrays.onednn.concat import Concat
from netcli.arrays.onednn.conv import Conv
from netcli.arrays.onednn.inner_product import InnerProduct
from netcli.arrays.onednn.lrn import LRN
from netcli.arrays.onednn.pool import Pool
from netcli.arrays.onednn.softmax import Softmax
from netcli.arrays.onednn.sum import Sum
from netcli.arrays.ops import Ops
from netcli.arrays.unsupported import Unsupported


@needs_onednn
def test_relu_keeps_what_is_not_a_number():
    x = array((2, 3, 4, 5))
    x[1, 2, 3, 4], x[0, 0, 0, 0] = np.nan, -0.5
    for slope in (0.0, 0.1):
        y = array(x.shape)
        Activation("relu", x.shape, slope, F4).forward(x, y)
        assert np.isnan(y[1, 2, 3, 4])
        assert np.isnan(y).sum() == 1
        assert y[0, 0, 0, 0] == F4(-0.5) * F4(slope)


@needs_onednn
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_softmax_spreads_what_is_not_a_number_over_its_row(bad):
    x = array((3, 5))
    x[1, 2] = bad
    y = array((3, 5))
    with np.errstate(invalid="ignore"):
        Ops().softmax((3, 5), 1).forward(x, y)
    assert np.isnan(y[1]).all()
    assert np.isfinite(y[[0, 2]]).all()


IMAGES = (2, 16, 6, 6)
DECLINED = {
    "not float32": (Sum, ((2, 3), (1.0,), np.float64), "float32"),
    "empty": (Softmax, ((0, 3), 1, F4), "shape"),
    "a scalar": (Activation, ("relu", (), 0.0, F4), "shape"),
    "a mask": (Pool, (IMAGES, (2, 16, 3, 3), "max", (2, 2), (2, 2), (0, 0), True, F4), "places"),
    "a window over the padding": (Pool, (IMAGES, (2, 16, 4, 4), "ave", (3, 3), (2, 2), (1, 1), False, F4), "padding"),
    "LRN of another size": (LRN, (IMAGES, "across", 7, 1.0, 0.75, 1.0, F4), "over 7"),
    "LRN of another power": (LRN, (IMAGES, "across", 5, 1.0, 0.6, 1.0, F4), "slow loop"),
    "ELU": (Activation, ("elu", IMAGES, 1.0, F4), "digits"),
}


@needs_onednn
def test_what_a_net_asks_for_is_served():
    Conv(IMAGES, 20, (5, 5), (1, 1), (2, 2), (1, 1), 2, True, F4)
    InnerProduct(IMAGES, 1, 10, True, True, F4)
    for method in ("max", "ave"):
        Pool(IMAGES, (2, 16, 3, 3), method, (3, 3), (2, 2), (0, 0), False, F4)  # over the border, by rounding up
        Pool(IMAGES, (2, 16, 3, 3), method, (2, 2), (2, 2), (0, 0), False, F4)
        Pool(IMAGES, (2, 16, 1, 1), method, (6, 6), (1, 1), (0, 0), False, F4)
    BatchNorm(IMAGES, 1e-5, False, True, True, F4)
    Concat((IMAGES, IMAGES), 1, F4)
    Sum(IMAGES, (1.0, -1.0), F4)
    for kind in ("relu", "sigmoid", "tanh"):
        Activation(kind, IMAGES, 0.0, F4)
    if library.library().isa.startswith(("AVX-512", "AMX")):
        Softmax((4, 10), 1, F4)
        Softmax(IMAGES, 1, F4)
        LRN(IMAGES, "across", 5, 1e-4, 0.75, 1.0, F4)
        LRN(IMAGES, "within", 3, 1e-4, 0.75, 1.0, F4)


@needs_onednn
@pytest.mark.parametrize("name", DECLINED)
def test_declines(name):
    body, args, reason = DECLINED[name]
    with pytest.raises(Unsupported, match=reason):
        body(*args)


def test_an_empty_batch_is_served_all_the_same():
    plan = Ops().conv((0, 3, 5, 5), 4, (3, 3), (1, 1), (0, 0), (1, 1), 1, True)
    w, b = parameter(4, 3, 3, 3), parameter(4)
    plan.forward(array((0, 3, 5, 5)), w, b, array((0, 4, 3, 3)))
    plan.backward_weights(array((0, 3, 5, 5)), array((0, 4, 3, 3)), w, b, False)
    assert not w.any()
    assert not b.any()


# -- no library


@pytest.fixture
def warnings():
    """The warnings of netcli, as they come."""

    class Kept(logging.Handler):
        def emit(self, record):
            found.append(record.getMessage())

    found, logger, handler = [], logging.getLogger("netcli"), Kept()
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


def absent_package(name):
    raise library.importlib.metadata.PackageNotFoundError(name)


def absent_gomp(*args, **kwargs):
    raise OSError("libgomp.so.1: cannot open shared object file: No such file or directory")


def another_platform():
    return "aarch64"


MISSING = {
    "the wheel": ("importlib.metadata.distribution", absent_package, "onednn-cpu-gomp is missing"),
    "libgomp": ("ctypes.CDLL", absent_gomp, "libgomp1"),
    "the platform": ("platform.machine", another_platform, "aarch64"),
}


@needs_onednn
@pytest.mark.parametrize("what", MISSING)
def test_without_the_library_plain_bodies_serve_after_one_warning(monkeypatch, warnings, what):
    name, stand_in, reason = MISSING[what]
    monkeypatch.setattr(library, "_load", cache(library._load.__wrapped__))
    monkeypatch.setattr(f"netcli.arrays.onednn.library.{name}", stand_in)
    asked = Ops()
    x, y = array((2, 3)), array((2, 3))
    asked.activation("relu", (2, 3)).forward(x, y)
    np.testing.assert_array_equal(y, np.maximum(x, 0))
    asked.concat(((2, 3), (2, 3)), 1)
    asked.sum((2, 3), (1.0, 1.0))
    assert set(asked.declined) == {"activation", "concat", "sum"}
    assert all(reason in said["onednn"] for said in asked.declined.values())
    assert len(warnings) == 1
    assert reason in warnings[0]
    assert "plain" in type(asked.sum((2, 3), (1.0, 1.0))).__module__


def test_plain_engine_loads_nothing(monkeypatch):
    monkeypatch.setattr(library, "_load", cache(library._load.__wrapped__))
    monkeypatch.setattr(bodies.importlib, "import_module", lambda name: _only_plain(name))
    Ops("plain").softmax((2, 3), 1)


def _only_plain(name):
    assert ".plain." in name
    return __import__(name, fromlist=["*"])


@needs_onednn
def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(library.dnnl, "VERSION", (4, 0))
    with pytest.raises(OSError, match=r"oneDNN 3\.2\.\d+ is there, 4\.0 is needed"):
        library.Library(library.find())
