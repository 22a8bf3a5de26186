import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from netcli.errors import NetcliError
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines
from netcli.training.overrides import set_fields


def changed(text, *assignments):
    document = Document(text_format.Parse(text, schema.SolverParameter()), Lines("s.prototxt", 1))
    set_fields(document, assignments)
    return document


def test_values_of_every_kind():
    solver = changed(
        "base_lr: 0.1 max_iter: 5 lr_policy: 'fixed' stepvalue: 1 stepvalue: 2",
        "base_lr=0.02",
        "max_iter = 7",
        "lr_policy=step",
        "snapshot_prefix='a b'",
        "stepvalue=10, 20,30",
        "test_initialization=false",
        "solver_mode=CPU",
        "random_seed=-1",
    ).message
    assert solver.base_lr == pytest.approx(0.02)
    assert (solver.max_iter, solver.lr_policy, solver.snapshot_prefix) == (7, "step", "a b")
    assert list(solver.stepvalue) == [10, 20, 30]
    assert not solver.test_initialization
    assert solver.solver_mode == solver.CPU
    assert solver.random_seed == -1


def test_nothing_is_given_in_place_of_lists_and_messages():
    """So that a run can do without its tests."""
    solver = changed("test_iter: 5 test_iter: 6 test_state { level: 1 }", "test_iter=", "test_state=").message
    assert not solver.ListFields()


def test_the_option_is_the_place_from_then_on():
    assert str(changed("max_iter: 5", "max_iter=-1").lines.find("max_iter")) == "--set max_iter=-1"


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=20)


@given(words.filter(lambda text: text == text.strip() and not text.startswith(("'", '"'))))
def test_any_text_is_taken_as_it_stands(text):
    assert changed("", f"snapshot_prefix={text}").message.snapshot_prefix == text


@given(st.integers(-(2**31), 2**31 - 1))
def test_any_whole_number(value):
    assert changed("", f"max_iter={value}").message.max_iter == value


WRONG = [
    ("base_lr", "is not of the form field=value"),
    ("base_rl=1", "a solver has no field 'base_rl'; did you mean 'base_lr'?"),
    ("base_lr=fast", "base_lr is a number, and 'fast' is not"),
    ("max_iter=1.5", "max_iter is a whole number, and '1.5' is not"),
    ("max_iter=", "max_iter is a whole number, and '' is not"),
    ("max_iter=99999999999", "max_iter is a whole number, and '99999999999' is not"),
    ("stepvalue=1,x", "stepvalue is a whole number, and 'x' is not"),
    ("debug_info=perhaps", "debug_info is true or false, and 'perhaps' is not"),
    ("solver_mode=TPU", "solver_mode is one of CPU, GPU, and 'TPU' is not"),
    ("net_param=x", "net_param is a message; only numbers, words and names can be set"),
    ("stepvalue=1,", "stepvalue is a whole number, and '' is not"),
    ("max_iter=5 base_lr: 3", "max_iter is a whole number, and '5 base_lr: 3' is not"),
    ("stepvalue=5 stepvalue: 3", "stepvalue is a whole number, and '5 stepvalue: 3' is not"),
]


@pytest.mark.parametrize(("assignment", "message"), WRONG, ids=[w[0] for w in WRONG])
def test_wrong(assignment, message):
    with pytest.raises(NetcliError) as caught:
        changed("", assignment)
    assert str(caught.value) == f"--set {assignment}: {message}"
