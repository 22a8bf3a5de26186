"""JPEGs of which only the upper rows are decoded: the same pixels as of the whole."""

import io

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from netcli.errors import DataError
from netcli.sources.image_file import decode_image
from netcli.sources.jpeg_rows import upper_part

SAMPLINGS = ["444", "422", "420", "440", "411"]


def noise(height, width, channels=3, seed=0):
    """Edges and noise, so that a row more or less would be seen in its neighbours."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def jpeg(pixels, sampling="420", quality=90):
    if pixels.shape[2] == 1:
        return simplejpeg.encode_jpeg(pixels, quality, "GRAY", "Gray")
    return simplejpeg.encode_jpeg(pixels, quality, "RGB", sampling)


def by_pillow(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **options)
    return file.getvalue()


def check_rows(data, times, share):
    """The rows of a part equal those of the whole image, which is decoded as small."""
    height = simplejpeg.decode_jpeg_header(data)[0]
    tall = -(-height // times)
    rows = max(1, round(tall * share))
    whole = decode_image(data, None, lambda *_: (times, tall))
    part = decode_image(data, None, lambda *_: (times, rows))
    assert part.shape == whole.shape
    np.testing.assert_array_equal(part[:, :rows], whole[:, :rows])
    return (part[:, rows:] != whole[:, rows:]).any()


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 140),
    st.integers(1, 70),
    st.sampled_from([*SAMPLINGS, "grey"]),
    st.sampled_from([1, 2, 4, 8]),
    st.floats(0, 1),
    st.integers(0, 99),
)
def test_the_rows_wanted_are_those_of_the_whole_image(height, width, sampling, times, share, seed):
    pixels = noise(height, width, 1 if sampling == "grey" else 3, seed)
    check_rows(jpeg(pixels, sampling), times, share)


@pytest.mark.parametrize("sampling", [*SAMPLINGS, "grey"])
def test_the_others_are_not_decoded(sampling):
    data = jpeg(noise(200, 90, 1 if sampling == "grey" else 3), sampling)
    assert check_rows(data, 1, 0.5)
    part, height, _ = upper_part(data, 200, 100)
    assert 100 <= height <= 128
    assert simplejpeg.decode_jpeg_header(part)[:2] == (height, 90)
    assert not decode_image(data, None, lambda *_: (1, 100))[:, 128:].any()
    assert decode_image(data, True, lambda *_: (1, 100)).shape == (3, 200, 90)


@pytest.mark.parametrize(
    ("options", "is_cut"),
    [({"restart_marker_rows": 1}, True), ({"optimize": True}, True), ({"progressive": True}, False)],
)
def test_other_forms(options, is_cut):
    data = by_pillow(noise(200, 90), **options)
    assert check_rows(data, 1, 0.4) == is_cut
    assert (upper_part(data, 200, 80) is not None) == is_cut


def test_what_is_left_whole():
    data = jpeg(noise(160, 90))
    assert upper_part(data, 160, 147) is None  # the saving would be small
    assert upper_part(data[:-2], 160, 50) is None
    assert upper_part(data + b"\0", 160, 50) is None
    assert upper_part(b"\xff\xd8\xff\xd9", 160, 50) is None
    # Each colour in a scan of its own: the first names one of three.
    scan = data.index(b"\xff\xda")
    several = data[: scan + 4] + b"\x01" + data[scan + 5 :]
    assert upper_part(several, 160, 50) is None


def test_one_that_is_cut_off_is_refused_as_a_whole_one_is():
    data = jpeg(noise(200, 90))[:-400]
    for need in (None, lambda *_: (1, 50)):
        with pytest.raises(DataError, match="can't be decoded"):
            decode_image(data, None, need)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_damage_is_told_or_not_as_it_is_of_the_whole_image(data):
    """And what can be decoded all the same has the same pixels."""
    file = bytearray(
        data.draw(st.sampled_from([jpeg(noise(160, 60)), by_pillow(noise(160, 60), restart_marker_rows=1)]))
    )
    begin = file.index(b"\xff\xda") + 4
    for _ in range(data.draw(st.integers(1, 3))):
        file[data.draw(st.integers(begin, len(file) - 3))] = data.draw(st.integers(0, 255))
    marker = data.draw(st.one_of(st.none(), st.binary(min_size=1, max_size=3)))
    if marker is not None:
        place = data.draw(st.integers(begin, len(file) - 2))
        file[place:place] = b"\xff" + marker
    try:
        whole = decode_image(bytes(file))
    except DataError as fault:
        with pytest.raises(DataError, match=fault.message):
            decode_image(bytes(file), None, lambda *_: (1, 60))
        return
    part = decode_image(bytes(file), None, lambda *_: (1, 60))
    np.testing.assert_array_equal(part[:, :60], whole[:, :60])


def test_what_can_not_be_decoded_at_all_is_no_image_of_what_was_in_memory():
    data = bytearray(jpeg(noise(160, 60)))
    scan = data.index(b"\xff\xda")
    data[scan + 10 : scan + 12] = b"\xff\xff"  # tables that there are not, and before them what is only warned of
    with pytest.raises(DataError, match="can't be decoded"):
        decode_image(bytes(data), None, lambda *_: (1, 60))


@pytest.mark.parametrize(
    ("before", "what"),
    [
        (b"\xff\xdb", b"\xff"),  # one more byte of 255 may stand before any marker,
        (b"\xff\xdb", b"\xff\xd0"),  # and these two have no length
        (b"\xff\xdb", b"\xff\x01"),
    ],
)
def test_markers_that_are_read_in_other_ways_leave_it_whole(before, what):
    data = jpeg(noise(160, 60))
    place = data.index(before)
    assert upper_part(data[:place] + what + data[place:], 160, 50) is None


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.integers(1, 300), st.integers(1, 300))
def test_bytes_of_any_kind_are_a_part_or_none(middle, height, rows):
    upper_part(b"\xff\xd8" + middle + b"\xff\xd9", height, rows)
    upper_part(b"\xff\xd8\xff\xc0" + middle + b"\xff\xda\x00\x02\x00\xff\xd9", height, rows)
