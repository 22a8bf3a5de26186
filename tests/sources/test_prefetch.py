import subprocess
import sys
import threading
import time
from concurrent.futures import wait

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netcli.errors import DataError
from netcli.sources.prefetch import Prefetch


@pytest.fixture
def prefetch():
    made = []

    def make(*args):
        made.append(Prefetch(*args))
        return made[-1]

    yield make
    for each in made:
        each.close()


@settings(deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.lists(st.one_of(st.integers(1, 4), st.integers(100, 1000)), max_size=6))
def test_any_mixture_of_batches_and_seeks_goes_on_exactly_there(step, depth, moves):
    feed = Prefetch(lambda position: position, step, depth)
    expected = 0
    for move in moves:
        if move >= 100:  # a seek
            expected = move
            feed.seek(move)
        else:
            for _ in range(move):
                assert feed.next() == expected
                expected += step
        assert feed.position == expected
    feed.close()


def test_no_more_than_depth_are_made_in_advance(prefetch):
    made = []
    feed = prefetch(made.append, 1, 3)
    for expected in ([0, 1, 2], [0, 1, 2, 3]):
        feed.next()
        wait(feed._pending)
        assert made == expected


def test_nothing_is_made_before_it_is_asked_for(prefetch):
    made = []
    prefetch(made.append, 1, 3)
    time.sleep(0.02)
    assert made == []


def test_a_fault_is_raised_in_its_turn_and_again_until_a_seek(prefetch):
    def load(position):
        if position == 2:
            raise DataError("record 2 is broken")
        return position

    feed = prefetch(load, 1, 4)
    assert [feed.next(), feed.next()] == [0, 1]
    for _ in range(2):
        with pytest.raises(DataError, match="record 2 is broken"):
            feed.next()
    assert feed.position == 2
    feed.seek(3)
    assert feed.next() == 3


def test_loads_never_overlap(prefetch):
    busy = threading.Lock()

    def load(position):
        assert busy.acquire(blocking=False)
        time.sleep(0.002)
        busy.release()
        return position

    feed = prefetch(load, 1, 4)
    for position in (0, 50, 7):
        feed.seek(position)
        assert [feed.next() for _ in range(3)] == [position, position + 1, position + 2]


def test_close_stops_the_thread():
    before = threading.active_count()
    feed = Prefetch(lambda position: position, 1, 4)
    feed.next()
    assert threading.active_count() == before + 1
    feed.close()
    feed.close()
    assert threading.active_count() == before
    with pytest.raises(ValueError, match="closed"):
        feed.next()


def test_depth_and_step_are_at_least_one():
    with pytest.raises(ValueError, match="step 0 and depth 1"):
        Prefetch(abs, 0, 1)


def test_a_program_that_forgets_to_close_ends_all_the_same():
    lines = (
        "from netcli.sources.prefetch import Prefetch",
        "feed = Prefetch(lambda position: position, 1, 4)",
        "print(feed.next(), feed.next())",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=20, check=True
    )
    assert (done.stdout, done.stderr) == ("0 1\n", "")


def test_at_the_end_of_a_program_only_the_batch_in_the_making_is_finished():
    lines = (
        "import threading, time",
        "from netcli.sources.prefetch import Prefetch",
        "begun = threading.Event()",
        "def load(position):",
        "    if position > 0:",
        "        begun.set()",
        "        time.sleep(0.1)",
        "    print(position)",
        "feed = Prefetch(load, 1, 100)",
        "feed.next()",
        "begun.wait()",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=20, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n1\n", "")


def test_an_interrupt_while_waiting_loses_no_batch(prefetch):
    """As a second thread can't be interrupted by a signal, the wait itself raises."""
    feed = prefetch(lambda position: position, 1, 2)
    feed.next()
    first = feed._pending[0]
    result, first.result = first.result, lambda: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        feed.next()
    first.result = result
    assert [feed.next(), feed.next()] == [1, 2]


def test_who_looks_on_is_told_of_each_load_that_gave_a_batch(prefetch):
    def load(position):
        if position == 4:
            raise DataError("record 4")
        time.sleep(0.001)
        return position

    batches = prefetch(load, 2, 1)
    told = []
    batches.told = lambda start, end: told.append((start, end))
    before = time.perf_counter()
    assert [batches.next(), batches.next()] == [0, 2]
    with pytest.raises(DataError):
        batches.next()
    assert len(told) == 2
    assert before <= told[0][0] < told[0][1] <= told[1][0] < told[1][1] <= time.perf_counter()
    assert all(end - start >= 0.001 for start, end in told)
    batches.told = None
    batches.seek(0)
    assert batches.next() == 0
    assert len(told) == 2
