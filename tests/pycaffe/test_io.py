import io as streams
import sys

import numpy as np
import pytest
from PIL import Image

from netcli.errors import DataError, NetcliError
from netcli.prototxt import schema
from netcli.pycaffe import io
from netcli.sources.datum import read_datum, write_encoded_datum
from netcli.sources.image_file import encode_image


@pytest.fixture
def rng():
    return np.random.default_rng(5)


# -- messages


def test_blobs_keep_their_shape_and_diff(rng):
    data, diff = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 4))
    blob = schema.BlobProto.FromString(io.array_to_blobproto(data, diff).SerializeToString())
    assert list(blob.shape.dim) == [2, 3, 4]
    for array, wanted in ((io.blobproto_to_array(blob), data), (io.blobproto_to_array(blob, return_diff=True), diff)):
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, wanted.astype(np.float32))


def test_old_blobs_have_four_axes_and_one_without_a_shape_is_a_scalar():
    assert io.blobproto_to_array(schema.BlobProto(data=[1, 2], num=1, channels=2, height=1, width=1)).shape == (
        1,
        2,
        1,
        1,
    )
    assert io.blobproto_to_array(schema.BlobProto(data=[7])) == 7
    np.testing.assert_array_equal(
        io.blobproto_to_array(schema.BlobProto(double_data=[1e-300, 2], shape={"dim": [2]})), [1e-300, 2]
    )


@pytest.mark.parametrize("shape", [{}, {"num": 3}, {"shape": {"dim": [3]}}])
def test_a_blob_whose_numbers_do_not_fit_its_shape(shape):
    with pytest.raises(ValueError, match=r"a BlobProto of shape \(.*\) holds 2 numbers"):
        io.blobproto_to_array(schema.BlobProto(data=[1, 2], **shape))


def test_blob_vectors_come_back(rng):
    arrays = [rng.standard_normal((2, 3)).astype(np.float32), np.array(3.0), np.arange(4)]
    data = io.arraylist_to_blobprotovector_str(arrays)
    back = io.blobprotovector_str_to_arraylist(data)
    assert isinstance(data, bytes)
    for array, wanted in zip(back, arrays, strict=True):
        np.testing.assert_array_equal(array, wanted)


@pytest.mark.parametrize(("dtype", "back"), [(np.uint8, np.uint8), (np.float32, np.float64), (np.int64, np.float64)])
def test_datums_hold_bytes_or_floats(rng, dtype, back):
    array = rng.integers(0, 256, (3, 4, 5)).astype(dtype)
    datum = io.array_to_datum(array, 8)
    assert (bool(datum.data), len(datum.float_data), datum.label) == (dtype == np.uint8, 60 * (dtype != np.uint8), 8)
    found = io.datum_to_array(datum)
    assert found.dtype == back
    np.testing.assert_array_equal(found, array)
    np.testing.assert_array_equal(read_datum(datum.SerializeToString())[0], array)  # as the Data layer reads it
    assert not io.array_to_datum(array).HasField("label")
    found[...] = 0  # it is the program's own


def test_encoded_datums_are_decoded(rng):
    image = rng.integers(0, 256, (3, 4, 5), np.uint8)
    datum = schema.Datum.FromString(write_encoded_datum(encode_image(image, "png"), 1))
    np.testing.assert_array_equal(io.datum_to_array(datum), image)


def test_wrong_datums():
    with pytest.raises(ValueError, match=r"a Datum holds an array \(C, H, W\), and this is one of 4x5"):
        io.array_to_datum(np.zeros((4, 5)))
    with pytest.raises(ValueError, match=r"a Datum of shape \(2, 1, 1\) holds 3 numbers"):
        io.datum_to_array(schema.Datum(channels=2, height=1, width=1, data=b"abc"))


def test_programs_find_the_message_classes_here():
    assert io.caffe_pb2.BlobProto is schema.BlobProto


# -- Transformer


def transformer(shape=(1, 3, 4, 4)):
    return io.Transformer({"data": shape})


def test_preprocess_goes_through_its_steps_in_order(rng):
    image = rng.random((4, 4, 3)).astype(np.float32)
    mean = rng.random((3, 4, 4)) * 100
    t = transformer()
    t.set_transpose("data", (2, 0, 1))
    t.set_channel_swap("data", (2, 1, 0))
    t.set_raw_scale("data", 255)
    t.set_mean("data", mean)
    t.set_input_scale("data", 0.5)
    found = t.preprocess("data", image)
    want = np.empty((3, 4, 4))
    for c in range(3):
        want[c] = (image[:, :, 2 - c].astype(np.float64) * 255 - mean[c]) * 0.5
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, want, atol=1e-4)
    np.testing.assert_allclose(t.deprocess("data", found[None]), image, atol=1e-6)
    np.testing.assert_array_equal(t.mean["data"], mean)
    assert (t.raw_scale, t.input_scale, t.transpose) == ({"data": 255}, {"data": 0.5}, {"data": (2, 0, 1)})


def test_preprocess_leaves_its_argument_as_it_is(rng):
    image = rng.random((3, 4, 4)).astype(np.float32)
    before = image.copy()
    t = io.Transformer({"data": [1, 4, 3, 4]})
    t.set_raw_scale("data", 255)
    t.set_mean("data", np.array([1, 2, 3, 4]))
    with pytest.raises(ValueError, match="broadcast"):  # of no transpose, the channels stand last
        t.preprocess("data", image)
    t.set_transpose("data", (2, 0, 1))
    found = t.preprocess("data", image)
    np.testing.assert_allclose(
        found, before.transpose(2, 0, 1) * 255 - np.array([1, 2, 3, 4])[:, None, None], atol=1e-4
    )
    np.testing.assert_array_equal(image, before)


def test_preprocess_resizes_to_the_input(rng):
    image = rng.random((9, 7, 3))
    np.testing.assert_allclose(transformer((5, 3, 4, 6)).preprocess("data", image), by_loops(image, 4, 6), atol=1e-6)


def test_what_is_set_to_none_is_not_done(rng):
    image = rng.random((4, 4, 3)).astype(np.float32)
    t = transformer()
    t.set_raw_scale("data", None)
    t.set_input_scale("data", None)
    np.testing.assert_array_equal(t.preprocess("data", image), image)
    np.testing.assert_array_equal(t.deprocess("data", image), image)


def test_deprocess_of_a_grey_image(rng):
    image = rng.random((1, 1, 4, 4)).astype(np.float32)
    t = transformer((1, 1, 4, 4))
    assert t.deprocess("data", image).shape == (4, 4)
    t.set_transpose("data", (2, 0, 1))
    np.testing.assert_array_equal(t.deprocess("data", image), image[0].transpose(1, 2, 0))


def test_deprocess_of_whole_numbers():
    t = transformer()
    t.set_raw_scale("data", 2)
    np.testing.assert_array_equal(t.deprocess("data", np.full((3, 4, 4), 3)), np.full((3, 4, 4), 1.5))


@pytest.mark.parametrize("mean", [np.array([1.0, 20, 30]), np.array([1.0, 20, 30])[:, None, None]])
def test_a_mean_for_each_channel(mean):
    t = transformer()
    t.set_mean("data", mean)
    assert t.mean["data"].shape == (3, 1, 1)
    np.testing.assert_array_equal(t.mean["data"].ravel(), [1, 20, 30])


def test_a_mean_of_another_size_is_resized(rng):
    t = transformer()
    mean = rng.random((3, 9, 7)) * 255
    t.set_mean("data", mean)
    np.testing.assert_allclose(t.mean["data"].transpose(1, 2, 0), by_loops(mean.transpose(1, 2, 0), 4, 4), rtol=1e-5)
    t.set_mean("data", mean[0])
    assert t.mean["data"].shape == (1, 4, 4)
    t.set_mean("data", np.full((3, 9, 7), 5))  # pycaffe divides by zero
    np.testing.assert_array_equal(t.mean["data"], np.full((3, 4, 4), 5))


def test_wrong_settings():
    t = transformer()
    for method, value in (
        (t.preprocess, np.zeros((4, 4, 3))),
        (t.deprocess, np.zeros((3, 4, 4))),
        (t.set_transpose, (2, 0, 1)),
        (t.set_channel_swap, (2, 1, 0)),
        (t.set_raw_scale, 1),
        (t.set_mean, np.zeros(3)),
        (t.set_input_scale, 1),
    ):
        with pytest.raises(NetcliError, match="'date' is no input of the net; there are 'data'"):
            method("date", value)
    with pytest.raises(NetcliError, match=r"input 'data' has 3 axes beside the batch's, and the transpose \(1, 0\) 2"):
        t.set_transpose("data", (1, 0))
    with pytest.raises(NetcliError, match=r"input 'data' has 3 channels, and the channel swap \(1, 0\) 2"):
        t.set_channel_swap("data", (1, 0))
    for mean, message in (
        (np.zeros(4), "the mean has 4 channels, input 'data' 3"),
        (np.zeros((4, 4, 4)), "the mean has 4 channels, input 'data' 3"),
        (np.zeros((1, 3, 4, 4)), r"a mean is \(C,\), \(C, H, W\) or \(H, W\), and this is an array of 1x3x4x4"),
    ):
        with pytest.raises(ValueError, match=message):
            t.set_mean("data", mean)


# -- resizing


def by_loops(image, height, width):
    """Bilinear with pixel centres at half coordinates; beyond the border lies the least value."""
    low = image.min()
    padded = np.full((image.shape[0] + 2, image.shape[1] + 2, image.shape[2]), low, np.float64)
    padded[1:-1, 1:-1] = image
    out = np.empty((height, width, image.shape[2]))
    for i in range(height):
        for j in range(width):
            y = (i + 0.5) * image.shape[0] / height + 0.5
            x = (j + 0.5) * image.shape[1] / width + 0.5
            y0, x0 = int(y), int(x)
            v, u = y - y0, x - x0
            out[i, j] = (
                padded[y0, x0] * (1 - v) * (1 - u)
                + padded[y0, x0 + 1] * (1 - v) * u
                + padded[y0 + 1, x0] * v * (1 - u)
                + padded[y0 + 1, x0 + 1] * v * u
            )
    return out


SIZES = [(7, 9), (3, 4), (20, 11), (1, 1), (7, 2)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["f", "d", "B", "h"])
def test_images_are_resized_as_by_scikit_image(rng, size, channels, dtype):
    image = rng.integers(0, 256, (7, 9, channels)).astype(dtype)
    found = io.resize_image(image, size)
    assert (found.dtype, found.shape) == (np.float32, (*size, channels))
    np.testing.assert_allclose(found, by_loops(image, *size), rtol=1e-5, atol=1e-4)


def test_numbers_of_scikit_image():
    # scikit-image 0.26.0: warp(image, [[0.5, 0, -0.25], [0, 0.5, -0.25], [0, 0, 1]], order=1, mode="constant")
    image = np.array([[0, 1], [1, 0.5]], np.float32)[:, :, None]
    want = [
        [0.0, 0.1875, 0.5625, 0.5625],
        [0.1875, 0.40625, 0.71875, 0.65625],
        [0.5625, 0.71875, 0.65625, 0.46875],
        [0.5625, 0.65625, 0.46875, 0.28125],
    ]
    np.testing.assert_allclose(io.resize_image(image, (4, 4))[:, :, 0], want, atol=1e-6)
    np.testing.assert_allclose(io.resize(image[:, :, 0], (4, 4)), want, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [2, 4, 5])
def test_images_of_other_channels_are_resized_corner_to_corner(rng, size, channels):
    image = rng.standard_normal((7, 9, channels)).astype(np.float32)
    rows, columns = (np.linspace(0, n - 1, m) if m > 1 else [0] for n, m in zip((7, 9), size, strict=True))
    want = np.apply_along_axis(lambda line: np.interp(rows, np.arange(7), line), 0, image)
    want = np.apply_along_axis(lambda line: np.interp(columns, np.arange(9), line), 1, want)
    np.testing.assert_allclose(io.resize_image(image, size), want, atol=1e-6)
    whole = (image * 50).astype(np.int16)
    found = io.resize_image(whole, size)
    np.testing.assert_array_equal(found, np.rint(found))
    np.testing.assert_allclose(found, io.resize_image(whole.astype(np.float64), size), atol=0.5001)


@pytest.mark.parametrize("channels", [3, 4])
def test_order_0_takes_the_nearest_pixel(rng, channels):
    image = rng.standard_normal((4, 6, channels)).astype(np.float32)
    rows, columns = ([1, 3], [1, 3, 5]) if channels == 3 else ([0, 3], [0, 3, 5])  # halves go up
    np.testing.assert_allclose(io.resize_image(image, (2, 3), interp_order=0), image[rows][:, columns], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_constant_image_stays_constant(channels):
    found = io.resize_image(np.full((3, 3, channels), 7, np.uint8), (5, 6))
    np.testing.assert_array_equal(found, np.full((5, 6, channels), 7, np.float32))


@pytest.mark.parametrize(("channels", "package"), [(3, "scikit-image"), (2, "scipy")])
def test_higher_orders_need_a_package(monkeypatch, channels, package):
    monkeypatch.setitem(sys.modules, "skimage.transform", None)
    monkeypatch.setitem(sys.modules, "scipy.ndimage", None)
    with pytest.raises(NetcliError, match=f"interpolation of order 3 needs {package}: pip install {package}"):
        io.resize_image(np.arange(12.0 * channels).reshape(3, 4, channels), (5, 5), interp_order=3)


def test_resize_of_programs(rng):
    image = rng.random((7, 9, 4))
    image[0, 0] = 0  # the least value is what lies beyond the border
    np.testing.assert_allclose(io.resize(image, (5, 12, 4)), by_loops(image, 5, 12), atol=1e-12)
    grey = (image[:, :, 0] * 255).astype(np.uint8)
    np.testing.assert_allclose(io.resize(grey, (7, 9)), grey / 255, atol=1e-12)
    image[0, 0] = 1
    np.testing.assert_allclose(io.resize(image, [5, 12], mode="constant", cval=1), 1 - by_loops(1 - image, 5, 12))
    with pytest.raises(ValueError, match="an image of 7x9x4 can't be resized to 3x3x3"):
        io.resize(image, (3, 3, 3))
    with pytest.raises(
        ValueError, match=r"has the mode 'constant', not 'edge'; caffe\.io\.skimage\.transform\.resize has"
    ):
        io.resize(image, (3, 3), mode="edge")


def test_wrong_sizes():
    with pytest.raises(ValueError, match=r"an image to resize is \(H, W, K\), and this is an array of 3x3"):
        io.resize_image(np.zeros((3, 3)), (2, 2))
    with pytest.raises(ValueError, match=r"an image to resize is \(H, W, K\), and this is an array of 0x3x3"):
        io.resize_image(np.zeros((0, 3, 3)), (2, 2))
    with pytest.raises(ValueError, match="an image can't be resized to 0x2"):
        io.resize_image(np.zeros((3, 3, 3)), (0, 2))


# -- crops


def test_ten_crops_in_order(rng):
    images = rng.random((2, 7, 9, 3)).astype(np.float32)
    crops = io.oversample(images, (4, 5))
    assert (crops.shape, crops.dtype) == ((20, 4, 5, 3), np.float32)
    for image, ten in zip(images, crops.reshape(2, 10, 4, 5, 3), strict=True):
        five = [image[:4, :5], image[:4, 4:], image[3:, :5], image[3:, 4:], image[1:5, 2:7]]
        for place in range(5):
            np.testing.assert_array_equal(ten[place], five[place])
            np.testing.assert_array_equal(ten[5 + place], five[place][:, ::-1])


def test_crops_that_do_not_fit():
    with pytest.raises(ValueError, match="a crop of 4x5 does not fit an image of 4x4"):
        io.oversample([np.zeros((4, 4, 3))], (4, 5))
    with pytest.raises(ValueError, match=r"oversample takes images \(H, W, K\) of one size, got 4x4x3, 4x5x3"):
        io.oversample([np.zeros((4, 4, 3)), np.zeros((4, 5, 3))], (2, 2))
    with pytest.raises(ValueError, match=r"oversample takes images \(H, W, K\) of one size, got no image"):
        io.oversample([], (2, 2))


# -- files


def test_images_are_rgb_from_0_to_1(tmp_path, rng):
    pixels = rng.integers(0, 256, (4, 5, 3), np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(pixels).save(path)
    for source in (str(path), path, streams.BytesIO(path.read_bytes())):
        found = io.load_image(source)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, (pixels / 255).astype(np.float32))
    grey = io.load_image(str(path), color=False)
    assert (grey.shape, grey.dtype) == ((4, 5, 1), np.float32)
    np.testing.assert_allclose(grey[:, :, 0], pixels / 255 @ [0.2125, 0.7154, 0.0721], atol=1e-6)


@pytest.mark.parametrize(
    ("mode", "kind", "options"),
    [
        ("L", "png", {}),
        ("1", "png", {}),
        ("LA", "png", {}),
        ("RGBA", "png", {}),
        ("P", "gif", {}),
        ("P", "png", {"transparency": 3}),
        ("CMYK", "jpg", {}),
    ],
)
def test_other_kinds_of_pixels(tmp_path, rng, mode, kind, options):
    path = tmp_path / f"a.{kind}"
    image = Image.fromarray(rng.integers(0, 256, (4, 5, 3), np.uint8)).convert(mode)
    if mode == "RGBA":
        image.putalpha(Image.fromarray(rng.integers(0, 256, (4, 5), np.uint8)))
    image.save(path, **options)
    with Image.open(path) as opened:
        want = np.asarray(opened.convert("RGBA").convert("RGB")) / 255
    np.testing.assert_allclose(io.load_image(path), want, atol=1e-6)
    np.testing.assert_allclose(io.load_image(path, color=False)[:, :, 0], want @ [0.2125, 0.7154, 0.0721], atol=1e-6)


def test_sixteen_bits_and_floats_keep_their_precision(tmp_path, rng):
    deep = rng.integers(0, 2**16, (4, 5), np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    found = io.load_image(tmp_path / "deep.png")
    np.testing.assert_allclose(found, np.repeat(deep[:, :, None] / 65535, 3, axis=2), atol=1e-7)
    floats = rng.standard_normal((4, 5)).astype(np.float32)
    Image.fromarray(floats).save(tmp_path / "floats.tif")
    np.testing.assert_array_equal(io.load_image(tmp_path / "floats.tif", color=False)[:, :, 0], floats)


def test_exif_orientation_is_not_followed(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", exif=exif)
    assert io.load_image(tmp_path / "a.jpg").shape == (4, 6, 3)


def test_files_that_are_no_images(tmp_path):
    (tmp_path / "text.png").write_text("no image")
    Image.new("RGB", (60, 40)).save(tmp_path / "a.bmp")
    (tmp_path / "cut.bmp").write_bytes((tmp_path / "a.bmp").read_bytes()[:300])
    for name, message in (
        ("none.png", "none.png can't be read: No such file or directory"),
        ("text.png", "text.png: not an image file of a known kind"),
        ("cut.bmp", "cut.bmp: an image that can't be decoded: "),
    ):
        for kind in (OSError, DataError):
            with pytest.raises(kind, match=f"{tmp_path}/{message}"):
                io.load_image(tmp_path / name)


def test_scikit_image_under_its_old_name(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(NetcliError, match="pip install scikit-image"):
        io.skimage.io  # noqa: B018
    with pytest.raises(AttributeError, match="skimag"):
        io.skimag  # noqa: B018
