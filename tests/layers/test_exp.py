import numpy as np

from checks import Case, case_test, refusal


def exp(base=np.e, scale=1.0, shift=0.0):
    return lambda x: [base ** (shift + scale * x)]


def case(values, shape=(2, 3, 4, 5), **more):
    text = " ".join(f"{name}: {value}" for name, value in values.items())
    return Case(text or "default", f"type: 'Exp' exp_param {{ {text} }}", [shape], exp(**values), **more)


CASES = [
    case({}, in_place=True),
    case({"base": 2, "scale": 0.5, "shift": 0.25}, in_place=True),
    case({"scale": -2, "shift": 1.5}, (3, 4)),
    case({"base": 0.5}, (5,)),
    case({"base": 1}, (5,)),
]

test_layer = case_test(CASES)


def test_refusals():
    assert refusal("type: 'Exp' exp_param { base: 0 }", [(3,)]) == "base is 0; it must be above 0, or -1 for e"
    assert refusal("type: 'Exp' exp_param { base: -2 }", [(3,)]) == "base is -2; it must be above 0, or -1 for e"
    assert refusal("type: 'Exp' exp_param { base: nan }", [(3,)]) == "base is nan; it must be above 0, or -1 for e"
