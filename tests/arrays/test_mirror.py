"""Blobs of a card as a program sees them: those of the CPU, for whoever looks again each time."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arrays.emulated.ops import CARD
from netcli.arrays.mirror import Mirror
from netcli.blob import Blob

shapes = st.sampled_from(
    [(2, 3, 2, 2), (1, 3, 2, 2), (3, 2, 2, 2), (2, 3, 4, 1), (24,), (4, 6), (2, 2, 2, 2, 2), (), (0,)]
)
sides = st.sampled_from(["data", "diff"])


def values(blob, number):
    return (np.arange(blob.count) + 100 * number).reshape(blob.shape).astype(np.float32)


def reshape(blob, shape, number):
    grows = np.prod(shape) > blob.count
    blob.reshape(shape)
    if grows:  # what lay behind a smaller shape does not go over
        STEPS["program writes all"](blob, "data", number)
        STEPS["program writes all"](blob, "diff", number)


def write(blob, about, number, **how):
    getattr(blob, f"mirror_{about}")(**how)[...] = values(blob, number)


STEPS = {
    "program writes": write,
    "program writes all": lambda blob, about, number: write(blob, about, number, whole=True),
    "program reads": lambda blob, about, number: getattr(blob, f"mirror_{about}")().copy(),
    "layer writes": lambda blob, about, number: blob.device.write(getattr(blob, about), values(blob, number)),
    "layer reads": lambda blob, about, number: getattr(blob, f"host_{about}")().copy(),
    "the card's own is shown": lambda blob, about, number: getattr(blob, f"show_{about}")(),
    "clear": lambda blob, about, number: blob.clear_diff(),
    "sum": lambda blob, about, number: blob.add_gradient(blob.device.from_host(values(blob, number))),
    "hand over": lambda blob, about, number: blob.hand_over(),
}


steps = st.lists(
    st.one_of(st.tuples(st.sampled_from(list(STEPS)), sides), st.tuples(st.just("reshape"), shapes)), max_size=16
)


@settings(max_examples=300, deadline=None)
@given(shapes, st.booleans(), steps, st.integers(0, 2**16 - 1))
def test_whoever_looks_again_sees_the_same_as_on_the_cpu(shape, parameter, steps, which):
    sets = []
    for device in ({}, {"device": CARD}):
        blobs = [Blob(shape, parameter=parameter, **device) for _ in range(2)]
        blobs[1].share_data(blobs[0])
        blobs[1].share_diff(blobs[0])
        blobs[0].mirror_data()  # on the CPU it lies in Caffe's order from now on, as its mirror does
        blobs[0].mirror_diff()
        sets.append(blobs)
    for number, (step, about) in enumerate([*steps, ("program reads", "data"), ("program reads", "diff")]):
        found = []
        for blobs in sets:
            if step == "reshape":
                for blob in blobs:
                    reshape(blob, about, number)
            else:
                found.append(STEPS[step](blobs[which >> number & 1], about, number))
        if step.endswith("reads"):
            np.testing.assert_array_equal(*found)


@pytest.fixture
def transfers(monkeypatch):
    """What went over, in order."""
    seen = []
    for name in ("fetch", "send"):
        own = getattr(CARD, name)
        monkeypatch.setattr(CARD, name, lambda *given, name=name, own=own: seen.append(name) or own(*given))
    return seen


def test_values_go_over_when_they_are_asked_for(transfers):
    blob = Blob((2, 3, 4, 5), device=CARD)
    view = blob.mirror_data()
    view[...] = 1
    assert transfers == []  # zeros on both sides at first
    assert blob.mirror_data() is view
    for _ in range(2):
        _ = blob.data
    assert transfers == ["send"]
    for _ in range(2):
        blob.mirror_data()
    assert transfers == ["send", "fetch"]
    _ = blob.data
    blob.data_buffer.mirror.has_read()
    blob.mirror_data()
    assert transfers == ["send", "fetch", "send"]
    _ = blob.data
    blob.mirror_data(whole=True)
    assert transfers == ["send", "fetch", "send", "send"]


def test_a_gradient_that_is_cleared_goes_nowhere(transfers):
    blob = Blob((2, 3), parameter=True, device=CARD)
    blob.mirror_diff()[...] = 1
    blob.clear_diff()
    assert not blob.gradient()[1]
    blob.clear_diff()
    assert not blob.mirror_diff().any()
    assert blob.gradient()[1]
    assert transfers == ["send"]


def test_a_diff_whose_memory_on_the_card_is_shown_is_cleared_at_once():
    blob = Blob((2, 3), device=CARD)
    own = blob.show_diff()
    blob.mirror_diff()[...] = 1
    _ = blob.diff
    blob.mirror_diff()
    blob.clear_diff()
    assert not own.any()
    assert not blob.mirror_diff().any()


def test_a_view_stays_the_same_until_there_is_more_memory():
    blob = Blob((2, 3, 4, 5), device=CARD)
    view = blob.mirror_data()
    blob.reshape((1, 3, 4, 5))
    assert np.shares_memory(blob.mirror_data(), view)
    blob.reshape((2, 3, 4, 5))
    assert blob.mirror_data() is view
    blob.reshape((3, 3, 4, 5))
    assert not np.shares_memory(blob.mirror_data(), view)
    assert blob.mirror_data().flags.c_contiguous
    assert blob.mirror_data().flags.writeable


def test_memory_of_the_host_alone_until_the_card_looks():
    before = CARD.taken
    blob = Blob((1000,), device=CARD)
    blob.mirror_data()[...] = 1
    assert CARD.taken == before
    assert (blob.host_data() == 1).all()
    assert CARD.taken == before + 4000


def test_any_thread_may_look():
    blob = Blob((2, 3, 4, 5), device=CARD)
    CARD.write(blob.data, np.ones((2, 3, 4, 5)))
    seen = []

    def look():
        seen.append(blob.mirror_data().sum())
        try:
            CARD.zeros(1, np.float32)
        except AssertionError as fault:
            seen.append(str(fault))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [120, "a thread that has not made the card works outside of current()"]


def test_a_turn_is_another_threads_while_somebody_elses_code_runs():
    """Two deep, as in a layer's pass in a solver's."""

    def other():
        with CARD.turn:
            done.set()

    done = threading.Event()
    with CARD.turn, CARD.turn:
        thread = threading.Thread(target=other)
        thread.start()
        assert not done.wait(0.05)
        with CARD.aside():
            assert done.wait(5)
        thread.join()
        thread = threading.Thread(target=other)
        done.clear()
        thread.start()
        assert not done.wait(0.05)
    assert done.wait(5)
    thread.join()
    with CARD.aside():  # without a turn
        pass


def test_a_mirror_is_of_zeros():
    mirror = Mirror(CARD, 6, np.float64)
    assert not mirror.view((2, 3)).any()
    assert mirror.view((2, 3)) is mirror.view((2, 3))
    assert mirror.view((2, 3)).dtype == np.float64
