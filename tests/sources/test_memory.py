import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcli.errors import DataError
from netcli.sources.memory import Arrays


@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 40))
def test_batches_go_round(size, batches, number):
    count = size * batches
    data = np.arange(count, dtype=np.float32).reshape(count, 1, 1, 1)
    arrays = Arrays(data, np.arange(count), (1, 1, 1), size)
    images, labels = arrays.batch(number * size, size)
    assert labels.tolist() == [(number * size + i) % count for i in range(size)]
    assert images.ravel().tolist() == labels.tolist()


def test_arrays_are_looked_at_not_copied():
    data = np.zeros((2, 1, 1, 1), np.float32)
    arrays = Arrays(data, np.zeros((2, 1, 1, 1)), (1, 1, 1), 1)
    data[:] = 7
    assert arrays.batch(0, 1)[0].item() == 7


@pytest.mark.parametrize(
    ("data", "labels", "sentence"),
    [
        ((4, 3, 2, 2), 4, "arrays of 4x3x2x2 are given where images of 1x2x2 are wanted"),
        ((4, 4), 4, "arrays of 4x4 are given where images of 1x2x2 are wanted"),
        ((4, 1, 2, 2), 3, "3 labels are given for 4 images"),
        ((3, 1, 2, 2), 3, "3 images are not a multiple of the batch size, 2"),
        ((0, 1, 2, 2), 0, "0 images are not a multiple of the batch size, 2"),
    ],
)
def test_what_does_not_fit(data, labels, sentence):
    with pytest.raises(DataError) as caught:
        Arrays(np.zeros(data), np.zeros(labels), (1, 2, 2), 2)
    assert str(caught.value) == sentence
