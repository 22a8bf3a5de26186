import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from databases import make_database, make_images, make_lmdb, needs_leveldb
from netcli.cli.compute_mean import command, mean_image
from netcli.errors import DataError, SnapshotError
from netcli.snapshots import read_blob
from netcli.sources.database import LEVELDB
from netcli.sources.datum import write_encoded_datum
from netcli.sources.image_file import encode_image
from netcli.sources.lmdb_reader import LmdbReader
from netcli.sources.lmdb_writer import LmdbWriter


def run(*arguments):
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None:
        raise result.exception
    return result.output


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 9), st.tuples(st.integers(1, 3), st.integers(1, 5), st.integers(1, 5)), st.booleans())
def test_the_mean_of_any_database(tmp_path_factory, count, shape, floats):
    images = make_images(count, shape)
    images = images.astype(np.float32) / 7 if floats else images
    path = make_lmdb(tmp_path_factory.mktemp("mean") / "db", images)
    with LmdbReader(path) as database:
        mean = mean_image(database)
    assert mean.dtype == np.float64
    np.testing.assert_allclose(mean, images.astype(np.float64).mean(axis=0), rtol=1e-12)


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
        run(path)
    assert str(caught.value) == (
        f"{path}: record 1 ('00000001') is 3x5x4, the first is 3x4x5; a mean image needs images of one size"
    )


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
