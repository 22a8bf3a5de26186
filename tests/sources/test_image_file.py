import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from netcli.errors import DataError
from netcli.sources.image_file import decode_image, encode_image, read_image

# Small files of several kinds, each with what cv2.imdecode (opencv-python-headless 5.0) made of it with the flags
# IMREAD_COLOR, IMREAD_GRAYSCALE and IMREAD_UNCHANGED, transposed to (C, H, W).
OPENCV = np.load(Path(__file__).with_name("opencv_decode.npz"))
WAYS = {"color": True, "gray": False, "native": None}


@pytest.mark.parametrize("name", [name for name in OPENCV.files if not name.endswith(":file")])
def test_pixels_are_opencv_s(name):
    file, way = name.split(":")
    image = decode_image(OPENCV[f"{file}:file"].tobytes(), WAYS[way])
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, OPENCV[name])


def test_sixteen_bits_become_eight():
    assert decode_image(OPENCV["deep.png:file"].tobytes()).shape == OPENCV["deep.png:gray"].shape


@given(st.sampled_from([1, 3]), st.integers(1, 9), st.integers(1, 9), st.sampled_from(["png", "bmp", "TIFF"]))
def test_lossless_files_give_the_same_pixels_back(channels, height, width, kind):
    image = np.random.default_rng(height * width).integers(0, 256, (channels, height, width), dtype=np.uint8)
    np.testing.assert_array_equal(decode_image(encode_image(image, kind)), image)


def test_a_jpeg_is_near():
    image = np.broadcast_to(np.array([10, 100, 200], np.uint8)[:, None, None], (3, 16, 16))
    assert np.abs(decode_image(encode_image(image, "jpg")).astype(int) - image).max() <= 3


def test_an_unknown_kind():
    with pytest.raises(DataError, match="can't be encoded as 'gif', only as jpg, jpeg, png"):
        encode_image(np.zeros((1, 2, 2), np.uint8), "gif")


@pytest.mark.parametrize(("kind", "name", "width"), [("jpg", "JPEG", 70000), ("webp", "WEBP", 20000)])
def test_an_image_too_large_for_its_kind(kind, name, width):
    with pytest.raises(DataError, match=rf"an image of 1x{width} pixels can't be encoded as {name}: "):
        encode_image(np.zeros((3, 1, width), np.uint8), kind)


def test_transparent_palettes_lose_their_alpha_where_colours_are_asked_for():
    file = io.BytesIO()
    image = Image.new("P", (2, 2))
    image.putpixel((1, 0), 1)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.save(file, "PNG", transparency=bytes([0, 255]))
    assert decode_image(file.getvalue(), True)[:, 0].T.tolist() == [[30, 20, 10], [50, 100, 200]]
    assert decode_image(file.getvalue()).shape == (4, 2, 2)
    assert decode_image(file.getvalue(), False).shape == (1, 2, 2)


def test_faults_name_the_file(tmp_path):
    missing, text, cut = tmp_path / "a.png", tmp_path / "b.png", tmp_path / "c.jpg"
    text.write_text("no image")
    cut.write_bytes(OPENCV["color.jpg:file"].tobytes()[:300])
    for path, sentence in (
        (missing, "can't be read: No such file or directory"),
        (tmp_path, "can't be read: Is a directory"),
        (text, "not an image file of a known kind"),
        (cut, "an image that can't be decoded"),
    ):
        with pytest.raises(DataError) as caught:
            read_image(str(path))
        assert str(caught.value).startswith(str(path))
        assert sentence in str(caught.value)
