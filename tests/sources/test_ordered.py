import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcli.sources.ordered import AHEAD, in_blocks


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 60), st.integers(1, 9), st.integers(1, 4))
def test_results_come_in_order(count, block, threads):
    found = list(in_blocks(lambda part: [2 * each for each in part], range(count), block, threads))
    assert [each for part in found for each in part] == [2 * i for i in range(count)]
    assert [len(part) for part in found[:-1]] == [block] * max(0, len(found) - 1)


def test_items_are_taken_by_the_caller_and_no_further_ahead_than_told():
    taken = []

    def items():
        for i in range(1000):
            taken.append(threading.current_thread())
            yield i

    found = in_blocks(sum, items(), 5, 2)
    assert next(found) == 10
    assert len(taken) <= 5 * 2 * AHEAD
    assert set(taken) == {threading.current_thread()}
    found.close()


def test_a_fault_comes_in_its_turn():
    def work(part):
        if 7 in part:
            raise ValueError("seven")
        return part

    found = in_blocks(work, range(20), 2, 3)
    assert [next(found) for _ in range(3)] == [[0, 1], [2, 3], [4, 5]]
    with pytest.raises(ValueError, match="seven"):
        next(found)
