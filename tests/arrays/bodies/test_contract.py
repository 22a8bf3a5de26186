"""Every body of an op has the op's signature; the first that takes what is asked serves."""

import inspect

import pytest

from arrays.bodies.checks import is_of_card
from netcli.arrays.bodies import BODIES, body_class
from netcli.arrays.ops import Ops
from netcli.arrays.unsupported import Unsupported


@pytest.mark.parametrize("op", BODIES)
def test_signatures(op):
    asked = [name for name in inspect.signature(getattr(Ops, op)).parameters if name != "self"]
    definition = body_class(BODIES[op][-1])
    methods = ("forward", "backward", "backward_data", "backward_weights", "update")
    assert any(hasattr(definition, method) for method in methods)
    for path in BODIES[op]:
        body = body_class(path)
        assert list(inspect.signature(body).parameters) == ["card"] * is_of_card(path) + asked, body
        for method in methods:
            assert hasattr(body, method) == hasattr(definition, method), (body, method)
            if hasattr(definition, method):
                signatures = [list(inspect.signature(getattr(c, method)).parameters) for c in (body, definition)]
                assert signatures[0] == signatures[1], (body, method)


def test_plain_engine_takes_the_plain_body():
    assert type(Ops("plain").softmax((2, 3), 1)).__module__ == "netcli.arrays.plain.softmax"


def test_a_body_that_declines_is_passed_over(monkeypatch):
    class Never:
        def __init__(self, *args):
            raise Unsupported("not today")

    monkeypatch.setattr("netcli.arrays.plain.sum.Sum", Never)
    monkeypatch.setitem(BODIES, "softmax", ("plain.sum:Sum", "plain.softmax:Softmax"))
    ops = Ops()
    assert type(ops.softmax((2, 3), 1)).__module__ == "netcli.arrays.plain.softmax"
    assert ops.declined == {"softmax": {"plain": "not today"}}
