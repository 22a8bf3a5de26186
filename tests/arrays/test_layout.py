import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from netcli.arrays.device import ALIGNMENT, CPU
from netcli.arrays.layout import count_of, same_order, size_text, view

shapes = st.lists(st.integers(1, 4), max_size=5).map(tuple)


def test_count_and_text():
    assert count_of(()) == 1
    assert count_of((2, 0, 3)) == 0
    assert size_text((3, 256, 227)) == "3x256x227"


@given(shapes)
def test_view_has_the_shape_and_looks_at_the_memory(shape):
    flat = np.arange(count_of(shape) + 3)
    for channels_last in (False, True):
        array = view(flat, shape, channels_last)
        assert array.shape == shape
        assert np.shares_memory(array, flat)
        assert sorted(array.reshape(-1)) == list(range(count_of(shape)))
        in_order = array.transpose(0, 2, 3, 1) if channels_last and len(shape) == 4 else array
        np.testing.assert_array_equal(in_order.reshape(-1), flat[: count_of(shape)])


@given(shapes, st.permutations(range(5)), st.data())
def test_same_order_is_what_reading_the_same_memory_gives(shape, order, data):
    sizes = (*shape, *[1] * (5 - len(shape)))
    other = tuple(sizes[i] for i in order)
    other = data.draw(
        st.sampled_from([other, tuple(s for s in other if s > 1), (count_of(shape),), shape, (1, *shape)])
    )
    flat = np.arange(count_of(shape))
    a, b = (view(flat, s, channels_last=True).reshape(-1) for s in (shape, other))
    assert same_order(shape, other) == same_order(other, shape)
    if same_order(shape, other):
        np.testing.assert_array_equal(a, b)
    elif 4 not in (len(shape), len(other)):
        raise AssertionError("neither is channels-last")
    elif len(shape) != 4 or len(other) != 4:
        assert (a != b).any()


def test_other_counts_are_no_same_order():
    assert not same_order((2, 3), (2, 4))


@given(st.integers(1, 1000), st.sampled_from(["f4", "f8", "u1"]))
def test_memory_is_aligned(count, dtype):
    array = CPU.empty(count, dtype)
    assert array.shape == (count,)
    assert array.dtype == dtype
    assert array.ctypes.data % ALIGNMENT == 0
