import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from netcli.errors import SnapshotError
from netcli.prototxt import schema
from netcli.snapshots import read_blob, write_blob
from netcli.snapshots.blobproto import Encoded, array_of
from netcli.snapshots.wire import WireError

ARRAYS = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4),
    elements=st.floats(width=16, allow_nan=False),
)

NO_NUMBERS = "is not a blob file: no numbers are in it"


def encoded(array, diff=None):
    import io

    stream = io.BytesIO()
    blob = Encoded(array, diff)
    blob.write(stream)
    assert blob.size == len(stream.getvalue())
    return stream.getvalue()


@given(ARRAYS)
def test_there_and_back(array):
    back = array_of(encoded(array))
    assert back.dtype == array.dtype
    assert back.shape == array.shape
    np.testing.assert_array_equal(back, array)


@given(ARRAYS)
def test_protobuf_reads_what_is_written_and_the_other_way_round(array):
    message = schema.BlobProto.FromString(encoded(array, array + 1))
    wide = array.dtype == np.float64
    assert tuple(message.shape.dim) == array.shape
    np.testing.assert_array_equal(message.double_data if wide else message.data, array.ravel())
    np.testing.assert_array_equal(message.double_diff if wide else message.diff, (array + 1).ravel())
    np.testing.assert_array_equal(array_of(message.SerializeToString()), array)


def test_channels_last_memory_is_written_in_order_n_c_h_w():
    array = np.arange(24, dtype=np.float32).reshape(1, 2, 3, 4).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(array_of(encoded(array)), array)


def test_the_shape_of_2013():
    message = schema.BlobProto(num=1, channels=1, height=2, width=3, data=range(6))
    assert array_of(message.SerializeToString()).shape == (1, 1, 2, 3)


def test_numbers_one_by_one():
    packed = schema.BlobProto(shape={"dim": [2]}, data=[1.5, 2.5]).SerializeToString()
    loose = schema.BlobProto(shape={"dim": [2]}).SerializeToString() + b"".join(
        b"\x2d" + np.float32(x).tobytes() for x in (1.5, 2.5)
    )
    np.testing.assert_array_equal(array_of(loose), array_of(packed))


def test_half_precision_of_nvcaffe():
    half = np.array([1, -2.5], np.float16).tobytes()
    shape = schema.BlobProto(shape={"dim": [2]}).SerializeToString()
    array = array_of(shape + b"\x50\x02" + b"\x62" + bytes([len(half)]) + half)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, [1, -2.5])


def test_counts_must_agree():
    message = schema.BlobProto(shape={"dim": [2, 3]}, data=[1, 2])
    with pytest.raises(WireError, match=r"a blob of shape \(2, 3\) holds 2 numbers"):
        array_of(message.SerializeToString())


def test_a_mean_image(tmp_path):
    path = str(tmp_path / "mean.binaryproto")
    mean = np.random.default_rng(0).uniform(0, 255, (1, 3, 4, 5)).astype(np.float32)
    write_blob(path, mean)
    np.testing.assert_array_equal(read_blob(path), mean)
    with pytest.raises(SnapshotError) as caught:
        read_blob(str(tmp_path / "none"))
    assert str(caught.value) == f"{tmp_path / 'none'}: there is no such blob file"


def test_other_files_are_told_apart(tmp_path):
    path = tmp_path / "mean.binaryproto"
    write_blob(str(path), np.ones((1, 3, 2, 2), np.float32))
    for content, words in [
        (b"", "the file is empty, so it is no blob file"),
        (path.read_bytes()[:-1], "is no whole blob file: the file ends too soon"),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), "is not a blob file, or damaged: there is no field number 0"),
        (schema.NetParameter(name="x", layer=[{"name": "a"}]).SerializeToString(), NO_NUMBERS),
        (schema.SolverState(iter=3, learned_net="x").SerializeToString(), NO_NUMBERS),
    ]:
        path.write_bytes(content)
        with pytest.raises(SnapshotError) as caught:
            read_blob(str(path))
        assert str(caught.value) == f"{path}: {words}"


@settings(deadline=None)
@given(ARRAYS, st.data())
def test_any_cut_and_any_flipped_byte_is_read_or_told(tmp_path_factory, array, data):
    content = bytearray(encoded(array))
    content = content[: data.draw(st.integers(0, len(content)))]
    for _ in range(data.draw(st.integers(0, 3)) if content else 0):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.binaryproto"
    path.write_bytes(content)
    with contextlib.suppress(SnapshotError):
        read_blob(str(path))
