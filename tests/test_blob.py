import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netcli.arrays.device import CPU
from netcli.blob import Blob

shapes = st.lists(st.integers(0, 4), max_size=5).map(tuple)


@given(shapes, st.sampled_from(["f4", "f8"]), st.booleans())
def test_data_and_diff(shape, dtype, parameter):
    blob = Blob(shape, dtype, parameter=parameter)
    for array in (blob.data, blob.diff):
        assert array.shape == shape
        assert array.dtype == blob.dtype == dtype
        assert not array.any()
    assert blob.count == blob.data.size
    assert not np.shares_memory(blob.data, blob.diff)
    assert blob.data is blob.data
    assert blob.diff is blob.diff


def test_activations_are_channels_last_and_parameters_are_not():
    shape = (2, 3, 4, 5)
    assert Blob(shape).data.transpose(0, 2, 3, 1).flags.c_contiguous
    assert Blob(shape).diff.transpose(0, 2, 3, 1).flags.c_contiguous
    assert Blob(shape, parameter=True).data.flags.c_contiguous
    assert Blob((2, 3, 4)).data.flags.c_contiguous


def test_memory_is_taken_at_the_first_look():
    blob = Blob((1000, 1000, 1000, 1000))  # more than there is
    assert blob.data_buffer.array is None
    assert blob.data_buffer.nbytes == 4 * 10**12


def test_a_smaller_shape_keeps_memory_and_values():
    blob = Blob((2, 6))
    blob.data[...] = np.arange(12).reshape(2, 6)
    before = blob.data
    blob.reshape((3, 3))
    assert np.shares_memory(blob.data, before)
    np.testing.assert_array_equal(blob.data.reshape(-1), np.arange(9))
    blob.reshape((2, 6))
    np.testing.assert_array_equal(blob.data, before)
    blob.reshape((4, 6))
    assert blob.data.shape == (4, 6)


def test_shared_data_is_seen_by_both_and_diffs_stay_apart():
    owner, other = Blob((2, 6)), Blob((3, 4))
    other.share_data(owner)
    owner.data[...] = np.arange(12).reshape(2, 6)
    np.testing.assert_array_equal(other.data.reshape(-1), np.arange(12))
    assert not np.shares_memory(other.diff, owner.diff)
    other.share_diff(owner)
    other.diff.fill(3)
    assert (owner.diff == 3).all()


def test_shared_data_follows_when_the_owner_grows():
    owner, other = Blob((2, 6)), Blob((2, 6))
    other.share_data(owner)
    assert not owner.data.any()
    assert not other.data.any()
    for blob in (owner, other):
        blob.reshape((5, 6))
    owner.data.fill(2)
    assert other.data.shape == (5, 6)
    assert (other.data == 2).all()


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9), st.booleans()), max_size=12))
def test_blobs_of_different_counts_share_what_suffices_for_each(changes):
    blobs = Blob((3,)), Blob((5,))
    blobs[1].share_data(blobs[0])
    blobs[1].reshape((5,))
    for which, count, look in changes:
        blobs[which].reshape((count,))
        if look:
            for blob in blobs:
                assert blob.data.shape == blob.shape


def test_memory_can_be_placed():
    flat = CPU.empty(20, np.float32)
    blob = Blob((2, 6))
    assert not blob.data.any()
    blob.data_buffer.place(flat)
    blob.data.fill(7)
    assert (flat[:12] == 7).all()


def test_a_cleared_diff_reads_as_zeros():
    blob = Blob((2, 3))
    blob.diff.fill(5)
    blob.clear_diff()
    assert not blob.diff.any()
    blob.diff.fill(5)
    assert (blob.diff == 5).all()


def test_gradients_sum_until_they_are_cleared():
    blob = Blob((3,), parameter=True)
    blob.clear_diff()
    blob.diff_buffer.take().fill(9)  # what an earlier iteration has left
    diff, add = blob.gradient()
    assert not add
    diff[...] = 1
    diff, add = blob.gradient()
    assert add
    diff += 2
    assert (blob.diff == 3).all()
    blob.clear_diff()
    blob.add_gradient(np.ones(3))
    blob.add_gradient(np.ones(3))
    assert (blob.diff == 2).all()


def test_two_blobs_that_share_a_diff_share_that_it_is_cleared():
    owner, sharer = Blob((3,), parameter=True), Blob((3,), parameter=True)
    sharer.share_diff(owner)
    owner.clear_diff()
    sharer.add_gradient(np.ones(3))
    owner.add_gradient(np.ones(3))
    assert (owner.diff == 2).all()


def test_shown_it_lies_in_c_order_and_keeps_its_values_and_its_companions():
    shape = (2, 3, 4, 5)
    blob, other = Blob(shape), Blob(shape)
    other.share_data(blob)
    values = np.arange(120).reshape(shape)
    blob.data[...], blob.diff[...] = values, -values
    _ = other.data  # a view that must not be handed out again
    shown = blob.show_data()
    assert not blob.diff.flags.c_contiguous  # only what is looked at
    for array, want in ((shown, values), (other.data, values), (blob.show_diff(), -values)):
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, want)
    assert np.shares_memory(blob.data, other.data)
    assert not other.diff.flags.c_contiguous
    assert blob.show_data() is shown
    assert blob.data is shown
    blob.reshape((3, 4, 5, 6))
    assert blob.data.flags.c_contiguous


def test_shown_before_there_is_memory_of_a_plan():
    blob = Blob((2, 3, 4, 5))
    blob.show_data()
    blob.data_buffer.place(CPU.empty(120, np.float32))
    assert blob.data.flags.c_contiguous


def test_a_diff_that_is_shown_is_cleared_at_once():
    blob = Blob((2, 3), parameter=True)
    seen = blob.show_diff()
    seen[...] = 1
    blob.clear_diff()
    assert (seen == 0).all()
    seen[0, 0] = 5  # written behind the blob's back, as programs do
    assert blob.diff[0, 0] == 5
    blob.add_gradient(np.ones((2, 3)))
    assert seen[0, 0] == 6


def test_repr():
    assert repr(Blob((2, 3))) == "Blob(2, 3)"
