"""The emulated card refuses what CuPy refuses, and records as a card does."""

import numpy as np
import pytest

from arrays.emulated.card import EmulatedCard
from netcli.arrays.cuda import source
from netcli.arrays.cuda.activation import Activation
from netcli.arrays.ops import Ops
from netcli.arrays.varying import Cell, Varying

CARD = EmulatedCard()
xp = CARD.xp


def on_card(*values):
    return CARD.from_host(np.array(values, np.float32))


def test_arrays_of_the_host_are_not_mixed_in():
    x = on_card(1, 2)
    for wrong in (lambda: x + np.ones(2), lambda: np.ones(2) * x, lambda: xp.add(x, np.ones(2)), lambda: np.asarray(x)):
        with pytest.raises(TypeError, match=r"NumPy|ufunc"):
            wrong()
    with pytest.raises(AttributeError, match="no nan_to_number"):
        xp.nan_to_number(x)
    assert CARD.to_host(x + np.float32(1)).tolist() == [2, 3]


def test_what_is_recorded_is_done_when_it_is_replayed():
    x, y = on_card(1, -2), on_card(0, 0)
    relu = Activation(CARD, "relu", (2,), 0.0, np.float32)

    def work():
        relu.forward(x, y)
        y[...] = y * 2 + xp.abs(x).sum()
        x[...] += 1

    replay = CARD.record(work)
    assert CARD.to_host(y).tolist() == [0, 0]
    assert CARD.to_host(x).tolist() == [1, -2]
    replay()
    assert CARD.to_host(y).tolist() == [5, 3]
    replay()
    assert CARD.to_host(y).tolist() == [7, 3]
    assert CARD.to_host(x).tolist() == [3, 0]


@pytest.mark.parametrize(
    "wrong",
    [
        "float(x.sum())",
        "bool(x[0])",
        "CARD.empty(3, 'f4')",
        "CARD.to_host(x)",
        "CARD.write(x, 0)",
        "xp.asarray([1.0, 2.0])",
        "xp.array(np.ones(2))",
        "xp.flatnonzero(x)",
        "x.nonzero()",
        "xp.where(x)",
        "xp.unique(x)",
        "x[x > 1]",
        "x.__setitem__(x > 1, x[:1])",
        "x[[0, 1]]",
        "x @ x",
        "x.dot(x)",
        "xp.einsum('i,i->', x, x)",
    ],
)
def test_what_a_card_cannot_record_is_refused(wrong):
    x = on_card(1, 2)
    names = {"x": x, "CARD": CARD, "xp": xp, "np": np}
    eval(wrong, names)
    CARD.write(x, np.array([1, 2], "f4"))
    with pytest.raises(CARD.refusals, match="while a card records"):
        CARD.record(lambda: eval(wrong, names))
    assert float(x.sum()) == 3


def test_what_looks_like_it_and_is_recorded():
    x = on_card(1, 2)

    def work():
        x[x > 1] = 5
        x[...] = xp.where(x > 1, x, xp.asarray(3.0, np.float32)) + np.float32(1)

    replay = CARD.record(work)
    replay()
    assert CARD.to_host(x).tolist() == [4, 6]


def test_blocks_that_exchange_numbers_are_whole_warps():
    squares = CARD.function("norm", next(iter(source.text("norm").kernels)), source.options(np.float32, False))
    with pytest.raises(ValueError, match="within warps of 32, and is launched with 16"):
        squares(1, 16, ())


def test_an_op_is_served_by_the_card_s_body():
    assert type(Ops(device=CARD).activation("elu", (3,), 1.0)).__module__ == "netcli.arrays.cuda.activation"


def test_numbers_that_vary_are_read_from_the_card():
    rate = Varying(0.5, device=CARD)
    cell = Cell(CARD)
    assert cell.array(rate) is rate.array
    own = cell.array(0.25)
    assert float(own) == 0.25
    rate.value = 2
    assert float(rate.array) == 2
    assert (float(rate), int(rate)) == (2.0, 2)


def test_what_a_kernel_writes_beside_an_array_is_found():
    relu = CARD.kernel("activation", "relu", np.float32, items=8)
    with pytest.raises(AssertionError, match=r"relu writes outside an array \(7,\)"):
        relu(on_card(*range(8)), CARD.empty(7, np.float32), 0.0, 8)
