"""AlexNet's change of colour: sizes, directions, distribution, and what it does to an image."""

import numpy as np
import pytest

from augment.test_transform import apply, transform
from netcli.augment.colours import PCAJitter
from netcli.augment.statistics import IMAGENET_AXES, IMAGENET_STD, read_color_statistics
from netcli.errors import NetcliError
from netcli.prototxt import parse, schema

# fb.resnet.torch's, of pixels in 0..1: eigenvalues and, by rows, axes in the order R G B.
FB_VALUES = [0.2175, 0.0188, 0.0045]
FB_AXES = [[-0.5675, -0.5808, -0.5836], [0.7192, -0.0045, -0.6948], [0.4009, -0.8140, 0.4203]]


def jitter(text):
    return PCAJitter(parse(text, schema.message_class("PCAJitterParameter")).message, str)


def numbers(values):
    return " ".join(repr(float(value)) for value in np.ravel(values)).split()


def test_cuda_convnet_s_magnitude_on_its_own_axes():
    """Its constants are standard deviations: 12.2, 3.7 and 2.0 levels along the axes at 0.1."""
    made = jitter("std: 0.1")
    lengths = np.linalg.norm(made.std * made.additions, axis=1)
    np.testing.assert_allclose(lengths, [12.178, 3.709, 1.972], atol=2e-3)
    np.testing.assert_allclose(made.additions[0], 121.7801 * np.array([-0.59200, -0.57618, -0.56351]), rtol=1e-5)


def test_fb_resnet_s_magnitude_on_its_own_axes():
    """alpha * eigenvalue in 0..1 is 5.5, 0.48 and 0.11 levels at 0.1; the same numbers as its Lighting adds."""
    values, axes = np.array(FB_VALUES), np.array(FB_AXES)
    made = jitter(
        "magnitude: FB_RESNET "
        + " ".join(f"eigenvalue: {v}" for v in numbers(values * 255**2))
        + " "
        + " ".join(f"eigenvector: {v}" for v in numbers(axes[:, ::-1]))
    )
    lengths = np.linalg.norm(made.std * made.additions, axis=1)
    np.testing.assert_allclose(lengths, [5.546, 0.479, 0.115], atol=1e-3)
    # Lighting: rgb += sum over axes of alpha_i * eigval_i * eigvec_i, on pixels in 0..1.
    alpha = np.array([0.03, -0.11, 0.2])
    np.testing.assert_allclose((alpha @ made.additions)[::-1] / 255, (alpha * values) @ axes, rtol=1e-5)


def test_the_published_axes_are_orthonormal():
    np.testing.assert_allclose(IMAGENET_AXES @ IMAGENET_AXES.T, np.eye(3), atol=2e-5)


def test_the_distribution_of_100_000_draws():
    """Mean 0; covariance std**2 * sum of m_i * axis_i axis_i^T; each axis normal."""
    made = transform("pca_jitter { }", train=True)
    words = made.draws(0, 0, 100_000)
    pca, places = made._pca
    drawn = np.array([pca(row) for row in words[:, places]])
    want = 0.01 * (IMAGENET_AXES.T * IMAGENET_STD**2) @ IMAGENET_AXES
    spread = 0.01 * (IMAGENET_STD**2).sum()
    np.testing.assert_allclose(np.cov(drawn.T), want, atol=0.015 * spread)
    assert np.abs(drawn.mean(0)).max() < 0.02 * np.sqrt(spread)
    along = drawn @ IMAGENET_AXES.T / (0.1 * IMAGENET_STD)
    for share, within in ((0.6827, 1), (0.9545, 2), (0.9973, 3)):
        np.testing.assert_allclose((np.abs(along) < within).mean(0), share, atol=0.006)
    np.testing.assert_allclose(np.corrcoef(along.T), np.eye(3), atol=0.015)


@pytest.mark.parametrize("planes", [True, False])
def test_every_pixel_gets_the_same_colour_and_nothing_is_rounded(planes):
    image = np.random.default_rng(0).integers(0, 256, (3, 7, 9), dtype=np.uint8)
    given = image if planes else np.ascontiguousarray(image.transpose(1, 2, 0)).transpose(2, 0, 1)
    made = transform("crop_size: 5 mean_value: 10 mean_value: 20 mean_value: 30 scale: 0.5 pca_jitter { }", train=True)
    words = made.draws(3, 4, 1)[0]
    pca, places = made._pca
    top, left, _, _ = made._window(words, 7, 9)
    less = (np.float32([10, 20, 30]) - pca(words[places])).astype(np.float32)[:, None, None]
    want = (np.float32(image[:, top : top + 5, left : left + 5]) - less) * np.float32(0.5)
    np.testing.assert_array_equal(apply(made, given, 3, 4), want)


def test_testing_has_none_of_it():
    assert transform("pca_jitter { }").draws(0, 0, 3) is None


def test_other_draws_stay_as_they_are():
    image = np.arange(3 * 8 * 8, dtype=np.uint8).reshape(3, 8, 8)
    plain = apply(transform("crop_size: 4 mirror: true", train=True), image, 1, 2)
    jittered = apply(transform("crop_size: 4 mirror: true pca_jitter { std: 0 }", train=True), image, 1, 2)
    np.testing.assert_array_equal(plain, jittered)


def test_statistics_from_a_file(tmp_path):
    path = tmp_path / "colours.prototxt"
    path.write_text(
        "mean: 1 mean: 2 mean: 3 std: 1 std: 1 std: 1 eigenvalue: 9 eigenvalue: 4 eigenvalue: 1\n"
        "eigenvector: [1, 0, 0, 0, 1, 0, 0, 0, 1] images: 2 pixels: 8"
    )
    assert read_color_statistics(str(path)).images == 2
    made = jitter(f"statistics_file: '{path}'")
    np.testing.assert_allclose(made.additions, np.diag([3, 2, 1]))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("eigenvalue: 1 eigenvalue: 2 eigenvector: 1", "2 eigenvalues and 1 numbers of eigenvectors"),
        ("eigenvalue: -1 eigenvector: 1", "eigenvalues and std are not negative"),
        ("statistics_file: '/there/is/none'", "/there/is/none can't be read: No such file or directory"),
    ],
)
def test_what_does_not_fit(text, sentence):
    with pytest.raises(NetcliError, match=sentence):
        jitter(text)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("mean: 1 eigenvalue: 2", "1 means, 1 eigenvalues and 0 numbers of eigenvectors"),
        ("mean: 1\nmeen: 2", ":2: "),
        ("", "is empty"),
    ],
)
def test_a_file_that_holds_something_else(tmp_path, content, sentence):
    path = tmp_path / "colours.prototxt"
    path.write_text(content)
    with pytest.raises(NetcliError, match=sentence):
        read_color_statistics(str(path))


def test_grey_images_have_one_axis():
    with pytest.raises(NetcliError, match="3 axes, for images of 1 channels"):
        transform("pca_jitter { }", train=True).shape((1, 4, 4))
