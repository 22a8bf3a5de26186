from checks import Case, Run, case_test


def threshold(value):
    return lambda x: [x > value]


CASES = [
    Case("default", "type: 'Threshold'", [(2, 3, 4, 5)], threshold(0), gradient=(), in_place=True),
    Case("rows", "type: 'Threshold' threshold_param { threshold: 0.25 }", [(2, 7)], threshold(0.25), gradient=()),
]

test_layer = case_test(CASES)


def test_the_threshold_itself_is_not_above():
    assert Run(CASES[1], [CASES[1].arrays[0] * 0 + 0.25]).forward()[0].max() == 0
