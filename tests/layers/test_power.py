import numpy as np
import pytest

from checks import Case, Run, case_test


def power(power=1.0, scale=1.0, shift=0.0):
    return lambda x: [(np.float64(shift) + scale * x) ** power]


def case(values, shape=(2, 3, 4, 5), **more):
    text = " ".join(f"{name}: {value}" for name, value in values.items())
    return Case(text or "default", f"type: 'Power' power_param {{ {text} }}", [shape], power(**values), **more)


CASES = [
    case({}, in_place=True),
    case({"scale": -0.5, "shift": 2}, in_place=True),
    case({"power": 2, "scale": 0.75, "shift": 0.25}, in_place=True),
    case({"power": 2}, (3, 4)),
    case({"power": 3}, in_place=True),
    case({"power": -1}, (5,)),
    case({"power": 0.5, "scale": 0.75, "shift": 2.5}, in_place=True),
    case({"power": 0, "scale": 3}),
    case({"scale": 0, "shift": 1.5, "power": 3}),
]

test_layer = case_test(CASES)


@pytest.mark.parametrize(("exponent", "slope"), [(3, 0.0), (2, 0.0), (1, 1.0)])
def test_derivative_at_zero_is_its_own_value(exponent, slope):
    run = Run(case({"power": exponent}), [np.zeros((1, 2))])
    run.forward()
    np.testing.assert_array_equal(run.backward([np.ones((1, 2))])[0][0], slope)
