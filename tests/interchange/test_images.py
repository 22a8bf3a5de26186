"""Databases and mean images that netcli made, against OpenCV, with which Caffe's tools made theirs.

They are read by what knows nothing of netcli's: LMDB's own library, and a decoder of protobuf messages of ten lines.
"""

import io
import struct
from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import netcli.cli.compute_mean
import netcli.cli.convert_images
from netcli.arrays.resize import resize
from netcli.sources.image_file import decode_image

cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")

DIGITS = Path(__file__).resolve().parents[2] / "data" / "digits"
COLOUR, GREY = (way | cv2.IMREAD_IGNORE_ORIENTATION for way in (cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE))


def number_at(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at


def decoded(data):
    """The fields of a protobuf message: for each number the values it has, numbers or bytes."""
    found, at = {}, 0
    while at < len(data):
        tag, at = number_at(data, at)
        size = {0: 0, 1: 8, 5: 4}.get(tag & 7)
        if tag & 7 == 0:
            value, at = number_at(data, at)
        else:
            if size is None:
                size, at = number_at(data, at)
            value, at = data[at : at + size], at + size
        found.setdefault(tag >> 3, []).append(value)
    return found


def chw(image):
    return image[None] if image.ndim == 2 else image.transpose(2, 0, 1)


def opencv_resized(image, height, width, interpolation="linear"):
    """(C, H, W), by OpenCV."""
    pixels = np.ascontiguousarray(image.transpose(1, 2, 0))
    way = getattr(cv2, f"INTER_{interpolation.upper()}")
    return chw(cv2.resize(pixels, (width, height), interpolation=way))


sizes = st.integers(1, 70)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([1, 3]), sizes, sizes, sizes, sizes, st.integers(0, 2**32))
def test_any_resize_is_opencv_s_bit_by_bit(channels, height, width, new_height, new_width, seed):
    image = np.random.default_rng(seed).integers(0, 256, (channels, height, width), dtype=np.uint8)
    np.testing.assert_array_equal(resize(image, new_height, new_width), opencv_resized(image, new_height, new_width))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("size", "wanted"),
    [((480, 640), (256, 256)), ((375, 500), (227, 227)), ((300, 200), (150, 100)), ((8, 8), (224, 224))],
)
def test_sizes_of_photographs_too(channels, size, wanted):
    image = np.random.default_rng(channels).integers(0, 256, (channels, *size), dtype=np.uint8)
    np.testing.assert_array_equal(resize(image, *wanted), opencv_resized(image, *wanted))


def check_within(image, size, interpolation, levels):
    got = resize(image, *size, interpolation=interpolation)
    assert got.dtype == np.uint8
    want = opencv_resized(image, *size, interpolation)
    assert np.abs(got.astype(int) - want).max() <= levels


OTHER_WAYS = pytest.mark.parametrize(("interpolation", "levels"), [("nearest", 0), ("area", 1), ("cubic", 1)])


@OTHER_WAYS
@settings(deadline=None, max_examples=150)
@given(st.sampled_from([1, 3]), sizes, sizes, sizes, sizes, st.integers(0, 2**32))
def test_other_interpolations_are_opencv_s_within_a_level(
    interpolation, levels, channels, height, width, new_height, new_width, seed
):
    image = np.random.default_rng(seed).integers(0, 256, (channels, height, width), dtype=np.uint8)
    check_within(image, (new_height, new_width), interpolation, levels)


@OTHER_WAYS
@pytest.mark.parametrize(
    ("size", "wanted"),
    [((480, 640), (256, 256)), ((512, 768), (128, 256)), ((300, 200), (150, 100)), ((375, 500), (256, 600))],
)
def test_photographs_in_other_ways(interpolation, levels, size, wanted):
    image = np.random.default_rng(3).integers(0, 256, (3, *size), dtype=np.uint8)
    check_within(image, wanted, interpolation, levels)


def encoded(kind, pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels[..., ::-1] if pixels.ndim == 3 else pixels).convert(options.pop("mode", None)).save(
        file, kind, **options
    )
    return file.getvalue()


NOISE = np.random.default_rng(7).integers(0, 256, (29, 37, 3), dtype=np.uint8)
FILES = {
    "png": encoded("PNG", NOISE),
    "grey png": encoded("PNG", NOISE[..., 0]),
    "png with alpha": cv2.imencode(".png", np.dstack([NOISE, NOISE[..., 0]]))[1].tobytes(),
    "png with a palette": encoded("PNG", NOISE, mode="P"),
    "bmp": encoded("BMP", NOISE),
    "tiff": encoded("TIFF", NOISE),
    "jpeg": encoded("JPEG", NOISE, quality=80),
    "grey jpeg": encoded("JPEG", NOISE[..., 0]),
    "progressive jpeg": encoded("JPEG", NOISE, progressive=True),
    "jpeg without subsampling": encoded("JPEG", NOISE, subsampling=0),
    "cmyk jpeg": encoded("JPEG", NOISE, mode="CMYK"),
}


@pytest.mark.parametrize("flags", [COLOUR, GREY], ids=["colour", "grey"])
@pytest.mark.parametrize("name", FILES)
def test_files_are_decoded_as_opencv_does(name, flags):
    wanted = chw(cv2.imdecode(np.frombuffer(FILES[name], np.uint8), flags))
    np.testing.assert_array_equal(decode_image(FILES[name], flags == COLOUR), wanted)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of some digits and two photographs' worth of noise in colour, and their list."""
    folder = tmp_path_factory.mktemp("images")
    for number, line in enumerate((DIGITS / "train.txt").read_text().splitlines()[:20]):
        path, _ = line.split()
        (folder / f"digit{number}.png").write_bytes((DIGITS / path).read_bytes())
    (folder / "colour.png").write_bytes(FILES["png"])
    (folder / "colour.jpg").write_bytes(FILES["jpeg"])
    names = sorted(path.name for path in folder.iterdir())
    (folder / "list.txt").write_text("".join(f"{name} {3 * label}\n" for label, name in enumerate(names)))
    return folder


def run(module, *arguments):
    module.command.main([str(argument) for argument in arguments], standalone_mode=False)


def made(folder, database, *options):
    """(key, Datum's fields) of each record of the database that netcli makes of the folder's list."""
    run(netcli.cli.convert_images, *options, f"{folder}/", folder / "list.txt", database)
    with lmdb.open(str(database), readonly=True, lock=False) as environment, environment.begin() as transaction:
        return [(key.decode(), decoded(value)) for key, value in transaction.cursor()]


def listed(folder):
    return [line.split() for line in (folder / "list.txt").read_text().splitlines()]


@pytest.mark.parametrize("gray", [True, False])
@pytest.mark.parametrize("size", [None, (28, 20), (5, 3)])
def test_a_database_holds_what_opencv_reads_and_resizes(folder, tmp_path, gray, size):
    options = ["--gray"] * gray + (["--resize-height", size[0], "--resize-width", size[1]] if size else [])
    records = made(folder, tmp_path / "db", *options)
    assert [key for key, _ in records] == [f"{i:08d}_{name}" for i, (name, _) in enumerate(listed(folder))]
    for (name, label), (_, datum) in zip(listed(folder), records, strict=True):
        image = chw(cv2.imread(str(folder / name), GREY if gray else COLOUR))
        if size:
            image = opencv_resized(image, *size)
        assert [datum[number] for number in (1, 2, 3)] == [[length] for length in image.shape]
        assert datum[4] == [image.tobytes()]
        assert datum.get(5, [0]) == [int(label)]
        assert datum.get(7, [0]) == [0]


def test_encoded_records_hold_files_that_opencv_decodes(folder, tmp_path):
    for options, same_file in ((["--encoded"], True), (["--encode-type", "png"], False)):
        for (name, _), (_, datum) in zip(listed(folder), made(folder, tmp_path / options[-1], *options), strict=True):
            assert datum[7] == [1]
            if same_file:
                assert datum[4] == [(folder / name).read_bytes()]
            image = cv2.imdecode(np.frombuffer(datum[4][0], np.uint8), COLOUR)
            np.testing.assert_array_equal(image, cv2.imread(str(folder / name), COLOUR))


def test_a_mean_image_is_a_blob_of_floats_over_what_opencv_reads(folder, tmp_path, capsys):
    records = made(folder, tmp_path / "db", "--resize-height", 9, "--resize-width", 7)
    capsys.readouterr()
    run(netcli.cli.compute_mean, tmp_path / "db", tmp_path / "mean.binaryproto")
    images = [np.frombuffer(datum[4][0], np.uint8).reshape(3, 9, 7) for _, datum in records]
    blob = decoded((tmp_path / "mean.binaryproto").read_bytes())
    (dims,) = decoded(blob[7][0])[1]
    assert list(dims) == [1, 3, 9, 7]
    values = struct.unpack(f"<{3 * 9 * 7}f", blob[5][0])
    wanted = np.mean(images, axis=0, dtype=np.float64)
    np.testing.assert_array_equal(np.float32(values), wanted.astype(np.float32).ravel())
    lines = [f"mean_value: {value:.6g}" for value in wanted.mean(axis=(1, 2))]
    assert capsys.readouterr().out.splitlines() == lines
