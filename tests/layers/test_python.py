import sys

import numpy as np
import pytest
from google.protobuf import text_format

from checks import Case, Run, case_test, refusal
from netcli.blob import Blob
from netcli.errors import NetcliError
from netcli.layers.base import Context
from netcli.layers.python import Python
from netcli.layers.python_blob import PythonBlob
from netcli.prototxt import schema

IMAGES = (2, 3, 4, 5)


def layer(name, param_str="", module="users_layers"):
    return f"type: 'Python' python_param {{ module: '{module}' layer: '{name}' param_str: '{param_str}' }}"


def per_channel(x, w, b):
    rest = (-1, *[1] * (x.ndim - 2))
    return [w.reshape(rest) * x + b.reshape(rest)]


def rows(x):
    return [x[x.reshape(len(x), -1)[:, 0] > 0]]


def mixed(*shape):
    """Every other row begins with a number above 0."""
    x = np.random.default_rng(3).uniform(0.1, 1, shape)
    return x * np.where(np.arange(shape[0]) % 2, 1, -1).reshape(-1, *[1] * (len(shape) - 1))


CASES = [
    Case("of a base", layer("Scaled", "2.5"), [IMAGES], lambda x: [2.5 * x], in_place=True),
    Case("plain class", layer("Distance"), [IMAGES, IMAGES], lambda x, t: [[((x - t) ** 2).sum() / len(x) / 2]]),
    Case("parameters of images", layer("Affine"), [IMAGES], per_channel),
    Case("parameters of rows", layer("Affine"), [(4, 3)], per_channel),
    Case("top shaped in forward", layer("Positive"), [mixed(5, 3, 2, 2)], rows),
    Case("TRAIN", layer("Phase"), [], lambda: [np.zeros(())], gradient=()),
    Case("TEST", layer("Phase"), [], lambda: [np.ones(())], phase="TEST", gradient=()),
]

test_layer = case_test(CASES)


def test_setup_gives_the_first_values_of_the_parameters():
    message = text_format.Parse(f"name: 'L' {layer('Affine')}", schema.LayerParameter())
    made = Python(message, Context(allow_python=True))
    bottom, top = [Blob(IMAGES)], [Blob()]
    made.setup(bottom, top)
    made.reshape(bottom, top)
    made.fill()
    np.testing.assert_array_equal(made.blobs[0].data, [1, 2, 3])
    np.testing.assert_array_equal(made.blobs[1].data, 0)
    assert len(made.user.blobs) == 2
    assert [blob.count for blob in made.user.blobs] == [3, 3]


def test_what_a_layer_is_given():
    run = Run(CASES[0], CASES[0].arrays)
    blob = PythonBlob(run.bottom[0])
    for array in (blob.data, blob.diff):
        assert type(array) is np.ndarray
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert np.shares_memory(array.reshape(-1), array)
    assert blob.data is run.bottom[0].data
    assert (blob.shape, blob.count) == (IMAGES, 120)
    assert (blob.num, blob.channels, blob.height, blob.width) == IMAGES
    blob.reshape(np.int64(7), 2)
    assert run.bottom[0].shape == blob.shape == (7, 2)
    assert (blob.num, blob.channels, blob.height, blob.width) == (7, 2, 1, 1)
    blob.reshape()
    assert blob.shape == ()
    assert repr(blob) == "Blob()"
    assert run.layer.user.phase == 0
    assert run.layer.user.param_str == "2.5"
    assert run.layer.user.type == "Python"


def test_what_a_blob_refuses():
    blob = PythonBlob(Blob((1, 2, 3, 4, 5)))
    with pytest.raises(ValueError, match=r"of blobs of up to 4 axes, this one is \(1, 2, 3, 4, 5\)"):
        _ = blob.num
    with pytest.raises(ValueError, match=r"can't have the shape \(-1, 3\)"):
        blob.reshape(-1, 3)
    with pytest.raises(TypeError):
        blob.reshape(2.0)


def test_a_diff_that_backward_does_not_write_is_zero():
    case = CASES[4]
    run = Run(case, case.arrays)
    y = run.forward()[0]
    (dx,), _ = run.backward([np.ones_like(y)])  # its memory was full of NaN
    np.testing.assert_array_equal(dx.sum((1, 2, 3)), 12 * (np.arange(5) % 2))


def test_reshape_runs_before_every_forward():
    run = Run(Case("source", layer("Counter"), []), [])
    sizes = []
    for _ in range(4):
        sizes.append(run.forward()[0].shape[0])
        assert (run.top[0].data == run.layer.user.reshapes).all()
    assert sizes == [3, 1, 2, 3]  # the first reshape was that of setting up


@pytest.mark.parametrize("verb", ["setup", "forward", "backward"])
def test_a_fault_of_the_class_goes_on_with_its_layer_told(verb, caplog):
    def all_verbs():
        run = Run(Case("faulty", layer("Faulty", verb), [(2, 3)]), [np.ones((2, 3))])
        run.forward()
        run.backward([np.ones((2, 3))])

    with pytest.raises(ZeroDivisionError, match=verb) as caught:
        all_verbs()
    assert caught.traceback[-1].name == "fail"
    assert caplog.messages == [f"layer 'L' (Python): {verb} of users_layers.Faulty raised ZeroDivisionError"]


def test_parameters_are_made_in_setup():
    with pytest.raises(RuntimeError, match="add_blob goes in setup"):
        Run(Case("late", layer("LateBlob"), []), []).forward()


def test_without_a_backward():
    run = Run(Case("source", layer("Phase"), [(2, 3)]), [np.ones((2, 3))])
    run.forward()
    with pytest.raises(NetcliError, match=r"^class 'Phase' of module 'users_layers' has no method backward, and the"):
        run.backward([np.ones(())])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (layer("Scalde"), "module 'users_layers' has no class 'Scalde'; did you mean 'Scaled'?"),
        (layer("not_a_class"), "module 'users_layers' has no class 'not_a_class'"),
        (layer("WithoutForward"), "class 'WithoutForward' of module 'users_layers' has no method forward"),
        (
            layer("A", module="nowhere.at_all"),
            "there is no module 'nowhere.at_all' in the current folder, on PYTHONPATH or beside the net's file",
        ),
        (
            layer("A", module="users_layers.sub"),
            "there is no module 'users_layers.sub' in the current folder, on PYTHONPATH or beside the net's file",
        ),
        ("type: 'Python' python_param { layer: 'A' }", "needs module"),
        ("type: 'Python' python_param { module: 'users_layers' }", "needs layer"),
    ],
)
def test_refusals(text, message):
    assert refusal(text, [(2, 3)]) == message


def made(module, name, **context):
    message = text_format.Parse(f"name: 'L' {layer(name, module=module)}", schema.LayerParameter())
    found = Python(message, Context(**context))
    found.setup([], [Blob()])
    return found


def test_runs_only_where_it_is_allowed(tmp_path, monkeypatch):
    (tmp_path / "not_allowed.py").write_text("raise SystemExit('it ran')")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NetcliError) as caught:
        made("not_allowed", "Phase")
    assert str(caught.value) == (
        "the net wants to run the Python module 'not_allowed'; give --allow-python if you trust its code"
    )
    assert caught.value.field == "python_param.module"


SOURCE = "class Here:\n    name = {!r}\n    setup = reshape = forward = lambda self, bottom, top: None\n"


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """(the current folder, the net's), with sys.path and sys.modules as they were afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    here, net = tmp_path / "here", tmp_path / "net"
    here.mkdir()
    net.mkdir()
    monkeypatch.chdir(here)
    yield here, net
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_where_the_module_is_looked_for(folders):
    here, net = folders
    (net / "users_far.py").write_text(SOURCE.format("net"))
    assert made("users_far", "Here", allow_python=True, folder=str(net)).user.name == "net"
    for folder in folders:
        (folder / "users_both.py").write_text(SOURCE.format(folder.name))
    assert made("users_both", "Here", allow_python=True, folder=str(net)).user.name == "here"
    (here / "users_package").mkdir()
    (here / "users_package" / "inner.py").write_text(SOURCE.format("inner"))
    assert made("users_package.inner", "Here", allow_python=True).user.name == "inner"


def test_a_module_that_can_not_be_imported(folders, caplog):
    here, _ = folders
    (here / "users_wants.py").write_text("import nowhere_to_be_found")
    with pytest.raises(NetcliError) as caught:
        made("users_wants", "Here", allow_python=True)
    assert str(caught.value) == "its module 'users_wants' imports 'nowhere_to_be_found', which is not there"
    (here / "users_broken.py").write_text("1 / 0")
    with pytest.raises(ZeroDivisionError):
        made("users_broken", "Here", allow_python=True)
    assert caplog.messages == ["layer 'L' (Python): import of users_broken.Here raised ZeroDivisionError"]
