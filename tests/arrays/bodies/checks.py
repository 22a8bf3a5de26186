"""What is asked of every body of an op: arrays to give it, and the slope of a plain loop over its formula."""

import numpy as np
import pytest

from arrays.emulated.card import EmulatedCard
from arrays.emulated.plans import HostPlan
from netcli.arrays.bodies import BODIES, body_class
from netcli.arrays.layout import view
from netcli.arrays.unsupported import Unsupported

CARD = EmulatedCard()
DTYPES = ["f4", "f8"]
LAYOUTS = ["channels last", "c contiguous"]


def is_of_card(body):
    return body.partition(".")[0] in EmulatedCard.rooms


def plan(body, *args, **options):
    """The plan of one body, or a skip with its reason for declining; of a card's, one that takes NumPy's arrays."""
    try:
        if is_of_card(body):
            return HostPlan(body_class(body)(CARD, *args, **options), CARD)
        return body_class(body)(*args, **options)
    except Unsupported as reason:
        pytest.skip(f"{body}: {reason}")


def bodies(op):
    return pytest.mark.parametrize("body", BODIES[op])


layouts = pytest.mark.parametrize("layout", LAYOUTS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)


class Arrays:
    """Random arrays of one dtype, 4-D ones in the layout asked for.

    options: of the plans that take them
    """

    options = {}  # noqa: RUF012

    def __init__(self, dtype, layout="channels last", seed=5):
        self.dtype, self.layout = np.dtype(dtype), layout
        self.rng = np.random.default_rng(seed)
        self.tolerance = 3e-5 if self.dtype == np.float32 else 1e-12

    def of(self, values):
        """A copy of an array, laid out."""
        out = view(np.empty(values.size, self.dtype), values.shape, self.layout == "channels last")
        out[...] = values
        return out

    def normal(self, *shape):
        return self.of(self.rng.standard_normal(shape))

    def dirty(self, *shape):
        """Memory with something in it that nobody should read."""
        return self.of(np.full(shape, np.nan))

    def close(self, got, want):
        scale = max(1.0, float(np.abs(want).max(initial=0)))
        np.testing.assert_allclose(got, want, rtol=self.tolerance, atol=self.tolerance * scale)


def slope(function, at, direction, step=1e-6):
    """Derivative of a function of one array along a direction."""
    return (function(at + step * direction) - function(at - step * direction)) / (2 * step)


def check_gradient(arrays, forward, x, dy, dx):
    """dx against the slope of <dy, forward(x)>; the reference's forward is in float64."""
    x, dy = np.float64(x), np.float64(dy)
    direction = np.random.default_rng(3).standard_normal(x.shape)
    numeric = slope(lambda at: float((forward(at) * dy).sum()), x, direction)
    analytic = float((np.float64(dx) * direction).sum())
    assert abs(numeric - analytic) <= (1e-4 if arrays.dtype == np.float32 else 1e-7) * max(1, abs(numeric))


def check_weights_added(arrays, backward_weights, dw, db):
    """add sums into what is there; None is left out."""
    more, more_db = np.ones_like(dw), None if db is None else np.ones_like(db)
    backward_weights(more, more_db, True)
    arrays.close(more, dw + 1)
    if db is not None:
        arrays.close(more_db, db + 1)
        backward_weights(None, more_db, True)
        arrays.close(more_db, 2 * db + 1)
    backward_weights(more, None, True)
    arrays.close(more, 2 * dw + 1)
