import re

import numpy as np
import pytest

from databases import DataRun
from netcli.errors import NetcliError

MEMORY = "type: 'MemoryData' memory_data_param { batch_size: 2 channels: 3 height: 4 width: 5 }"


def arrays(count):
    data = np.random.default_rng(0).random((count, 3, 4, 5)).astype(np.float32)
    return data, np.arange(count, dtype=np.float32)


def test_batches_go_round():
    with DataRun(MEMORY) as run:
        assert [top.shape for top in run.top] == [(2, 3, 4, 5), (2,)]
        data, labels = arrays(6)
        run.layer.set_arrays(data, labels)
        for start in (0, 2, 4, 0):
            tops = run.forward()
            np.testing.assert_array_equal(tops[0], data[start : start + 2])
            np.testing.assert_array_equal(tops[1], labels[start : start + 2])
        assert run.layer.position() == 8


def test_new_arrays_begin_at_their_first_and_a_seek_goes_anywhere():
    with DataRun(MEMORY) as run:
        run.layer.set_arrays(*arrays(6))
        run.forward()
        run.layer.set_arrays(*arrays(4))
        assert run.labels() == [0, 1]
        run.layer.seek(10)
        assert run.labels() == [2, 3]


def test_transforms_are_not_applied_and_that_is_said(caplog):
    with DataRun(MEMORY + " transform_param { scale: 3 }") as run:
        data, labels = arrays(2)
        run.layer.set_arrays(data, labels)
        np.testing.assert_array_equal(run.forward()[0], data)
    assert caplog.messages == ["layer 'L': transform_param is not applied to arrays, as in Caffe"]


def test_forward_without_arrays():
    with DataRun(MEMORY) as run, pytest.raises(NetcliError, match="has no data: give it some with set_arrays"):
        run.forward()


def test_arrays_that_do_not_fit():
    with DataRun(MEMORY) as run:
        with pytest.raises(NetcliError, match="3 images are not a multiple of the batch size, 2"):
            run.layer.set_arrays(*arrays(3))
        with pytest.raises(NetcliError, match="3 labels are given for 2 images"):
            run.layer.set_arrays(arrays(2)[0], np.zeros(3))


@pytest.mark.parametrize("field", ["batch_size", "channels", "height", "width"])
def test_every_size_is_needed(field):
    with pytest.raises(NetcliError, match=f"{field} must be at least 1") as caught:
        DataRun(re.sub(rf"{field}: \d", "", MEMORY))
    assert caught.value.field == f"memory_data_param.{field}"
