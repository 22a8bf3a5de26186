import numpy as np

from checks import Case, Run, case_test

CASES = [
    Case("two", "type: 'Split'", [(2, 3, 4, 5)], lambda x: [x] * 2, tops=2),
    Case("three", "type: 'Split'", [(2, 3)], lambda x: [x] * 3, tops=3),
    Case("one", "type: 'Split'", [(2, 3)], lambda x: [x]),
]

test_layer = case_test(CASES)


def test_tops_are_the_bottom_but_have_diffs_of_their_own():
    run = Run(CASES[0], CASES[0].arrays)
    for top in run.top:
        assert np.shares_memory(top.data, run.bottom[0].data)
        assert not np.shares_memory(top.diff, run.bottom[0].diff)
    assert not np.shares_memory(run.top[0].diff, run.top[1].diff)


def test_only_gradients_that_are_there_are_summed():
    run = Run(CASES[1], CASES[1].arrays)
    run.forward()
    for number, top in enumerate(run.top):
        top.diff.fill(10.0**number)
    run.layer.top_has_gradient = [True, False, True]
    run.layer.backward(run.top, [True], run.bottom)
    assert (run.bottom[0].diff == 101).all()
