import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcli.errors import DataError
from netcli.prototxt import schema
from netcli.sources.datum import read_datum, write_datum, write_encoded_datum, write_features
from netcli.sources.image_file import encode_image

shapes = st.tuples(st.integers(1, 4), st.integers(1, 7), st.integers(1, 7))
labels = st.integers(-(2**31), 2**31 - 1)


@given(shapes, labels, st.integers(0, 2**32), st.sampled_from([np.uint8, np.float32]))
def test_round_trip(shape, label, seed, dtype):
    image = (np.random.default_rng(seed).random(shape) * 255).astype(dtype)
    read, got = read_datum(write_datum(image, label))
    assert got == label
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, image)


@given(shapes.filter(lambda shape: shape[0] in (1, 3)), labels, st.integers(0, 2**32))
def test_an_encoded_datum_holds_a_file(shape, label, seed):
    image = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    read, got = read_datum(write_encoded_datum(encode_image(image, "png"), label))
    assert got == label
    np.testing.assert_array_equal(read, image)
    value = write_encoded_datum(encode_image(image, "png"), label)
    assert read_datum(value, color=True)[0].shape == (3, *shape[1:])
    assert read_datum(value, color=False)[0].shape == (1, *shape[1:])


def test_bytes_are_stored_as_caffe_does():
    datum = schema.Datum.FromString(write_datum(np.arange(12, dtype=np.uint8).reshape(3, 2, 2), 5))
    assert datum.data == bytes(range(12))  # channel by channel, row by row
    assert (datum.channels, datum.height, datum.width, datum.label, datum.encoded) == (3, 2, 2, 5, False)
    assert datum.HasField("encoded")  # as Caffe writes it


sizes_of_all_lengths = st.integers(0, 2) | st.sampled_from([7, 42, 127, 128])


@given(*[sizes_of_all_lengths] * 3, labels | st.sampled_from([-1, 0, 127, 128, 16383, 16384]))
def test_bytes_are_written_as_protobuf_does(channels, height, width, label):
    image = np.arange(channels * height * width).astype(np.uint8).reshape(height, width, channels).transpose(2, 0, 1)
    datum = schema.Datum(channels=channels, height=height, width=width, label=label, encoded=False)
    datum.data = image.tobytes()
    assert write_datum(image, label) == datum.SerializeToString()
    assert write_datum(image, np.int64(label)) == datum.SerializeToString()


@pytest.mark.parametrize("label", [2**31, -(2**31) - 1])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_label_that_is_no_int32(label, dtype):
    with pytest.raises(ValueError, match=str(label) if dtype == np.uint8 else "range"):
        write_datum(np.zeros((1, 1, 1), dtype), label)


@pytest.mark.parametrize(
    ("shape", "sizes"), [((), (1, 1, 1)), ((7,), (7, 1, 1)), ((7, 2), (7, 2, 1)), ((4, 2, 3), (4, 2, 3))]
)
def test_features_of_any_shape_are_an_unlabelled_image_of_floats(shape, sizes):
    values = np.random.default_rng(0).standard_normal(shape[::-1]).astype(np.float32).T  # not in C order
    value = write_features(values)
    assert not schema.Datum.FromString(value).HasField("label")
    read, label = read_datum(value)
    assert label == 0
    assert read.shape == sizes
    np.testing.assert_array_equal(read.ravel(), values.ravel())


def fault(**fields):
    with pytest.raises(DataError) as caught:
        read_datum(schema.Datum(**fields).SerializeToString())
    return str(caught.value)


def test_too_few_bytes():
    assert fault(channels=3, height=2, width=2, data=b"12345") == "a Datum of 3x2x2 wants 12 values, it holds 5"


def test_too_many_floats():
    assert fault(channels=1, height=1, width=1, float_data=[1, 2]) == "a Datum of 1x1x1 wants 1 values, it holds 2"


def test_nothing_in_it():
    assert fault() == "a Datum of 0x0x0 has no pixels"
    assert fault(channels=1, height=1, width=1) == "a Datum of 1x1x1 wants 1 values, it holds 0"


def test_no_datum():
    with pytest.raises(DataError, match="3 bytes that are not a Datum"):
        read_datum(b"\xff\xff\xff")


def test_an_encoded_datum_without_an_image():
    assert fault(encoded=True, data=b"text") == "not an image file of a known kind"


def test_a_number_of_more_bytes_than_protobuf_takes_is_no_datum():
    whole = write_datum(np.zeros((1, 1, 2), np.uint8), 3)
    for count, fits in ((8, True), (9, False), (20, False)):
        value = whole + b"\x28\x83" + b"\x80" * count + b"\x00"
        if fits:
            assert read_datum(value)[1] == 3
        else:
            with pytest.raises(DataError, match=f"^{len(value)} bytes that are not a Datum$"):
                read_datum(value)
