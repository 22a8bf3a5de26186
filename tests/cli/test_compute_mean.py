import json
import os

import numpy as np
import pytest
from click.testing import CliRunner
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from databases import make_database, make_images, make_list, make_lmdb, needs_leveldb
from netcli.augment.statistics import read_color_statistics
from netcli.cli.compute_mean import command
from netcli.errors import DataError, SnapshotError
from netcli.prototxt import schema
from netcli.snapshots import read_blob
from netcli.sources.database import LEVELDB
from netcli.sources.datum import write_encoded_datum
from netcli.sources.image_file import encode_image
from netcli.sources.lmdb_writer import LmdbWriter


def run(*arguments):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 70), st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)), st.booleans())
def test_the_mean_of_any_database(tmp_path_factory, count, shape, floats):
    images = make_images(count, shape)
    images = images.astype(np.float32) / 7 if floats else images
    folder = tmp_path_factory.mktemp("mean")
    run(make_lmdb(folder / "db", images), folder / "mean.binaryproto")
    mean = read_blob(str(folder / "mean.binaryproto"))[0]
    np.testing.assert_array_equal(mean, images.astype(np.float64).mean(axis=0).astype(np.float32))


def test_the_file_is_a_mean_file_and_the_lines_are_mean_values(tmp_path):
    images = make_images(4)
    path = make_lmdb(tmp_path / "db", images)
    output = run(path, tmp_path / "mean.binaryproto")
    mean = read_blob(str(tmp_path / "mean.binaryproto"))
    assert mean.shape == (1, 3, 6, 5)
    assert mean.dtype == np.float32
    np.testing.assert_allclose(mean[0], images.mean(axis=0), rtol=1e-6)
    assert output == "".join(f"mean_value: {value:.6g}\n" for value in images.mean(axis=(0, 2, 3)))
    assert run(path) == output


@needs_leveldb
def test_a_leveldb_has_the_mean_of_an_lmdb(tmp_path):
    images = make_images(4)
    wanted = run(make_lmdb(tmp_path / "lmdb", images))
    path = make_database(tmp_path / "leveldb", LEVELDB, images)
    assert run(path) == run(path, "--backend", "leveldb") == run(path, "--backend", "lmdb") == wanted


def test_encoded_images(tmp_path):
    images = make_images(2)
    with LmdbWriter(str(tmp_path / "db")) as database:
        for i, image in enumerate(images):
            database.put(b"%d" % i, write_encoded_datum(encode_image(image, "png"), 0))
    run(tmp_path / "db", tmp_path / "mean")
    np.testing.assert_allclose(read_blob(str(tmp_path / "mean"))[0], images.mean(axis=0), rtol=1e-6)


def test_images_of_several_sizes(tmp_path):
    path = make_lmdb(tmp_path / "db", [make_images(1, (3, 4, 5))[0], make_images(1, (3, 5, 4))[0]])
    with pytest.raises(DataError) as caught:
        run(path, tmp_path / "mean")
    assert str(caught.value) == (
        f"{path}: record 1 ('00000001') is 3x5x4, the first is 3x4x5; a mean image needs images of one size"
    )
    assert len(run(path).splitlines()) == 3


def test_images_of_several_channels(tmp_path):
    path = make_lmdb(tmp_path / "db", [make_images(1, (3, 4, 5))[0], make_images(1, (1, 4, 5))[0]])
    with pytest.raises(DataError, match=r"record 1 \('00000001'\) is 1x4x5, the first is 3x4x5; their channels must"):
        run(path)


def numpy_statistics(images):
    pixels = np.concatenate([image.reshape(len(image), -1) for image in images], axis=1).astype(np.float64)
    values, columns = np.linalg.eigh(np.cov(pixels, bias=True))
    return pixels, values[::-1], columns.T[::-1]


def test_statistics_are_those_of_the_pooled_pixels(tmp_path):
    images = [make_images(1, (3, 4 + i % 3, 5), seed=i)[0] // (1 + i % 4) for i in range(70)]
    pixels, values, axes = numpy_statistics(images)
    path, file = make_lmdb(tmp_path / "db", images), tmp_path / "colors"
    shown = json.loads(run(path, "--pca", "--pca-file", file, "--json"))
    held = read_color_statistics(str(file))
    assert (held.images, held.pixels) == (shown["images"], shown["pixels"]) == (70, pixels.shape[1])
    np.testing.assert_allclose(held.mean, pixels.mean(1), rtol=1e-12)
    np.testing.assert_allclose(held.std, pixels.std(1), rtol=1e-12)
    np.testing.assert_allclose(held.eigenvalue, values, rtol=1e-9)
    found = np.reshape(held.eigenvector, (3, 3))
    np.testing.assert_allclose(np.abs((found * axes).sum(1)), 1, rtol=1e-12)
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in found)
    assert shown["eigenvector"] == found.tolist()
    assert shown["std"] == list(held.std)


def test_pixels_far_from_zero_lose_no_digits(tmp_path):
    images = (1e6 + np.random.default_rng(0).normal(size=(40, 2, 8, 8))).astype(np.float32)
    shown = json.loads(run(make_lmdb(tmp_path / "db", images), "--json"))
    pixels, values, _ = numpy_statistics(images)
    np.testing.assert_allclose(shown["std"], pixels.std(1), rtol=1e-10)
    np.testing.assert_allclose(shown["eigenvalue"], values, rtol=1e-9)


def test_the_numbers_do_not_depend_on_the_threads(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(100).astype(np.float32) / 3)
    assert run(path, "--json", "--threads", 1) == run(path, "--json", "--threads", 3)


def test_what_is_printed_of_the_axes_stands_in_a_transform_param(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(5))
    output = run("--pca", "--std", path, tmp_path / "mean.binaryproto")
    parsed = text_format.Parse(output, schema.message_class("TransformationParameter")())
    held = read_color_statistics(str(tmp_path / "mean.colors.prototxt"))
    np.testing.assert_allclose(parsed.pca_jitter.eigenvalue, held.eigenvalue, rtol=1e-6)
    np.testing.assert_allclose(parsed.pca_jitter.eigenvector, held.eigenvector, rtol=1e-6)
    assert output.count("# standard deviation: ") == 3
    assert sorted(os.listdir(tmp_path)) == ["db", "mean.binaryproto", "mean.colors.prototxt"]


def test_values_that_are_not_finite_are_named(tmp_path):
    images = make_images(3).astype(np.float32)
    images[2, 0, 1, 1] = np.nan
    path = make_lmdb(tmp_path / "db", images)
    with pytest.raises(DataError, match=r"record 2 \('00000002'\) has values that are nan or infinite"):
        run(path)


def test_features_of_many_channels_have_means_and_deviations(tmp_path):
    images = np.random.default_rng(0).normal(size=(20, 300, 1, 1)).astype(np.float32)
    path = make_lmdb(tmp_path / "db", images)
    shown = json.loads(run(path, tmp_path / "mean", "--json"))
    np.testing.assert_allclose(shown["mean"], images.mean((0, 2, 3), dtype=np.float64), rtol=1e-9)
    np.testing.assert_allclose(shown["std"], images.astype(np.float64).std((0, 2, 3)), rtol=1e-9)
    assert shown["eigenvalue"] is None
    with pytest.raises(DataError, match="has 300 channels; principal axes are taken of at most 64"):
        run(path, tmp_path / "axes", "--pca")
    assert sorted(os.listdir(tmp_path)) == ["db", "mean"]


def test_a_list_has_the_statistics_of_its_database(tmp_path):
    images = make_images(4)
    path = make_list(tmp_path, images)
    assert run(path, "--json") == run(make_lmdb(tmp_path / "db", images), "--json")
    assert len(run(path, "--gray").splitlines()) == 1
    (tmp_path / "1.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"list.txt:2: .*1.png: not an image file"):
        run(path)


def test_a_broken_record_is_named(tmp_path):
    with LmdbWriter(str(tmp_path / "db")) as database:
        database.put(b"a", b"\xff")
    with pytest.raises(DataError, match=r"db: record 0 \('a'\): 1 bytes that are not a Datum"):
        run(tmp_path / "db")


def test_a_place_for_the_file_is_looked_for_first(tmp_path):
    with LmdbWriter(str(tmp_path / "db")) as database:
        database.put(b"a", b"not read")
    with pytest.raises(SnapshotError, match="there is no folder"):
        run(tmp_path / "db", tmp_path / "none" / "mean.binaryproto")


def test_no_database(tmp_path):
    with pytest.raises(DataError, match="there is no database"):
        run(tmp_path / "db")
