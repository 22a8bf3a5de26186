import sys

import pytest

from netcli.errors import NetcliError
from netcli.layers.base import TEST, TRAIN
from netcli.prototxt import parse, schema
from netcli.training.checks import check_solver
from netcli.training.choices import TRAIN_FIELDS, choose

NET = 'layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 } } }'
REST = 'base_lr: 1 lr_policy: "fixed" max_iter: 1'


@pytest.fixture
def nets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.prototxt").write_text(f'name: "a" {NET}')
    (tmp_path / "b.prototxt").write_text(f'name: "b" state {{ level: 3 stage: "own" }} {NET}')
    return tmp_path


def choices_of(text):
    return choose(parse(text, schema.SolverParameter, "s.prototxt"))


def names(choices):
    return [(c.document.message.name, c.origin, c.batches) for c in choices]


def test_tests_come_in_caffes_order(nets):
    train, tests = choices_of(
        'net: "a.prototxt" test_net: "b.prototxt" test_net_param { name: "inline" } '
        "test_iter: 1 test_iter: 2 test_iter: 3 test_iter: 4 test_interval: 5"
    )
    assert names([train]) == [("a", "net file: a.prototxt", 0)]
    assert names(tests) == [
        ("inline", "test_net_param", 1),
        ("b", "test_net file: b.prototxt", 2),
        ("a", "net file: a.prototxt", 3),
        ("a", "net file: a.prototxt", 4),
    ]
    assert [c.phase for c in (train, *tests)] == [TRAIN] + [TEST] * 4


@pytest.mark.parametrize(
    "field", ["train_net: 'a.prototxt'", "net_param { name: 'a' }", "train_net_param { name: 'a' }"]
)
def test_a_net_to_train_alone(nets, field):
    train, tests = choices_of(field)
    assert train.document.message.name == "a"
    assert tests == []


def test_states_of_solver_and_net(nets):
    train, (test,) = choices_of(
        'train_net: "b.prototxt" test_net: "b.prototxt" test_iter: 1 test_interval: 1 '
        'train_state { stage: "more" } test_state { level: 7 phase: TRAIN }'
    )
    assert (train.phase, train.level, train.stages) == (TRAIN, None, ("more",))  # level 3 and "own" are the net's
    assert (test.phase, test.level, test.stages) == (TRAIN, 7, ())


def test_a_net_is_found_beside_its_solver(nets, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    path = str(nets / "s.prototxt")
    train, _ = choose(parse('net: "a.prototxt"', schema.SolverParameter, path))
    assert train.path == str(nets / "a.prototxt")


def test_a_test_of_no_batch_and_an_interval_without_a_test(nets):
    _, (test,) = choices_of('net: "a.prototxt" test_iter: 0 test_interval: 5')
    assert test.is_test
    assert test.batches == 0
    assert choices_of('net: "a.prototxt" test_interval: 5')[1] == []


WRONG = [
    ("max_iter: 1", f"s.prototxt: the solver names no net to train; it needs one of {', '.join(TRAIN_FIELDS)}"),
    (
        'net: "a.prototxt"\ntrain_net: "b.prototxt"',
        "s.prototxt:2: the solver gives both net and train_net; one net is trained",
    ),
    (
        'net: "a.prototxt"\ntest_net: "b.prototxt"\ntest_net: "b.prototxt"\ntest_iter: 1\ntest_interval: 1',
        "s.prototxt:4: test_iter is given once for 2 test nets; each test net needs one, in their order",
    ),
    (
        'train_net: "a.prototxt"\ntest_iter: 1\ntest_interval: 1',
        "s.prototxt:2: test_iter is given once for 0 test nets; each test net needs one, in their order",
    ),
    ('net: "a.prototxt"\ntest_iter: -1\ntest_interval: 1', "s.prototxt:2: test_iter is at least 0, got -1"),
    ('net: "a.prototxt"\ntest_iter: 5', "s.prototxt:2: test_iter needs a test_interval above 0, got 0"),
    (
        'net: "a.prototxt"\ntest_iter: 5\ntest_interval: 5\ntest_state { }\ntest_state { }',
        "s.prototxt:4: test_state is given 2 times for 1 test net; give one for each, or none",
    ),
    ('max_iter: 3\nnet: "c.prototxt"', "s.prototxt:2: there is no net file c.prototxt"),
]


@pytest.mark.parametrize(("text", "message"), WRONG, ids=range(len(WRONG)))
def test_wrong(nets, text, message):
    with pytest.raises(NetcliError) as caught:
        choices_of(text)
    assert str(caught.value) == message


CHECKED = [
    ("max_iter: -3", "max_iter is at least 0 (iterations), got -3"),
    ("max_iter: 3\naverage_loss: 0", "average_loss is at least 1 (iterations), got 0"),
    ("max_iter: 3\ndisplay: -1", "display is at least 0 (iterations, 0 for never), got -1"),
    ("max_iter: 3\nsnapshot: -1", "snapshot is at least 0 (iterations, 0 for never), got -1"),
    ("max_iter: 3\niter_size: 0", "iter_size is at least 1 (passes), got 0"),
    ("max_iter: 3\nlarc: true", "larc is NVCaffe's and not computed here; without it the weights become others"),
    (
        "max_iter: 3\nwarmup_iter: 5",
        "warmup_iter is Intel Caffe's and not computed here; without it the weights become",
    ),
]


@pytest.mark.parametrize(("text", "message"), CHECKED, ids=range(len(CHECKED)))
def test_numbers_out_of_their_range(text, message):
    with pytest.raises(NetcliError) as caught:
        check_solver(parse(text, schema.SolverParameter, "s.prototxt"))
    line = text.count("\n") + 1
    assert str(caught.value).startswith((f"s.prototxt:{line}: {message}", f"s.prototxt: {message}"))


def test_a_forks_field_at_its_default_is_no_fault(caplog):
    check_solver(parse("max_iter: 1 larc: false min_lr: 0 engine: 'MKL2017'", schema.SolverParameter, "s.prototxt"))
    assert not caplog.records


def test_what_is_done_otherwise_is_told(caplog):
    check_solver(parse("max_iter: 1\ntest_offset: 3", schema.SolverParameter, "s.prototxt"))
    assert [r.getMessage() for r in caplog.records] == [
        "s.prototxt:2: test_offset: test_interval counts from 0 all the same"
    ]


MISSING = [
    ("test_interval: 5", "test_interval is given, but no test_iter: nothing is tested"),
    ("lr_policy: 'exp'", 'lr_policy "exp" reads gamma, which is not given: as in Caffe, it is 0'),
    ("lr_policy: 'poly'", 'lr_policy "poly" reads power, which is not given: as in Caffe, it is 0'),
    (
        "lr_policy: 'multistep' gamma: 0.1",
        'lr_policy "multistep" reads stepvalue, which is not given: as in Caffe, no step is taken',
    ),
]


@pytest.mark.parametrize(("text", "message"), MISSING, ids=range(len(MISSING)))
def test_what_is_missing_without_harm_is_told(caplog, text, message):
    check_solver(parse(f"max_iter: 1\n{text}", schema.SolverParameter, "s.prototxt"))
    assert [r.getMessage() for r in caplog.records] == [f"s.prototxt:2: {message}"]


def test_hdf5_is_asked_for_where_h5py_is_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(NetcliError) as caught:
        check_solver(parse("max_iter: 1\nsnapshot_format: HDF5", schema.SolverParameter, "s.prototxt"))
    assert str(caught.value) == ("s.prototxt:2: snapshot_format: HDF5 files need h5py: pip install netcli[hdf5]")
