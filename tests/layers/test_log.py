import numpy as np

from checks import Case, case_test, refusal


def log(base=np.e, scale=1.0, shift=0.0):
    return lambda x: [np.log(shift + scale * x) / np.log(base)]


def case(values, shape=(2, 3, 4, 5), **more):
    text = " ".join(f"{name}: {value}" for name, value in values.items())
    x = np.random.default_rng(2).uniform(0.25, 2, shape)
    return Case(text or "default", f"type: 'Log' log_param {{ {text} }}", [x], log(**values), **more)


CASES = [
    case({}, in_place=True),
    case({"base": 2, "scale": 1.5, "shift": 0.25}, in_place=True),
    case({"base": 0.5, "scale": -0.5, "shift": 3}, (3, 4), in_place=True),
    case({"base": 10}, (5,)),
]

test_layer = case_test(CASES)


def test_refusals():
    assert refusal("type: 'Log' log_param { base: -3 }", [(3,)]) == "base is -3; it must be above 0, or -1 for e"
    assert refusal("type: 'Log' log_param { base: 1 }", [(3,)]) == "base is 1, to which there is no logarithm"
