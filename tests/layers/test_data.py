import logging
import shutil

import numpy as np
import pytest

from databases import SHARED, DataRun, make_database, make_images, make_lmdb, needs_leveldb, needs_shared
from netcli.arrays.threads import set_data_threads
from netcli.errors import NetcliError
from netcli.layers import data as data_module
from netcli.sources.database import LEVELDB
from netcli.sources.datum import write_datum, write_encoded_datum
from netcli.sources.image_file import encode_image
from netcli.sources.lmdb_writer import LmdbWriter


def data(path, batch=1, more="backend: LMDB", transform=""):
    return (
        f"type: 'Data' transform_param {{ {transform} }} data_param {{ source: '{path}' batch_size: {batch} {more} }}"
    )


def fault(text, **options):
    with pytest.raises(NetcliError) as caught:
        DataRun(text, **options)
    return f"{caught.value.field}: {caught.value}"


def test_records_come_in_order_and_over_again(tmp_path):
    images = make_images(5)
    path = make_lmdb(tmp_path / "db", images)
    with DataRun(data(path, 3, transform="scale: 0.5")) as run:
        for start in (0, 3, 6, 9):
            order = [(start + i) % 5 for i in range(3)]
            tops = run.forward()
            np.testing.assert_array_equal(tops[0], images[order] * np.float32(0.5))
            np.testing.assert_array_equal(tops[1], order)


def test_shuffled_records_come_once_an_epoch_in_an_order_of_its_own(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(300)[:, :1, :2, :2])
    orders = []
    for batch, seed in ((100, 1), (60, 1), (100, 2)):
        with DataRun(data(path, batch, "shuffle: true backend: LMDB"), seed=seed) as run:
            orders.append([label for _ in range(600 // batch) for label in run.labels()])
    first, second = orders[0][:300], orders[0][300:]
    assert sorted(first) == sorted(second) == list(range(300))
    assert first != second != list(range(300)) != first
    assert orders[0] == orders[1] != orders[2]


def test_the_same_database_twice_in_one_process(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(5))
    with DataRun(data(path, 2)) as train, DataRun(data(path, 3), train=False) as test:
        assert (train.labels(), test.labels(), train.labels()) == ([0, 1], [0, 1, 2], [2, 3])


def test_a_database_is_found_beside_the_net(tmp_path):
    make_lmdb(tmp_path / "db", make_images(2))
    with DataRun(data("db"), folder=tmp_path) as run:
        assert run.labels() == [0]


def test_labels_are_signed_and_images_may_be_floats(tmp_path):
    image = np.random.default_rng(0).random((2, 3, 3)).astype(np.float32)
    path = make_lmdb(tmp_path / "db", [image], [-3])
    with DataRun(data(path)) as run:
        tops = run.forward()
    np.testing.assert_array_equal(tops[0][0], image)
    assert tops[1].tolist() == [-3]


def encoded_database(path, *images):
    with LmdbWriter(str(path)) as database:
        for index, image in enumerate(images):
            database.put(b"%08d" % index, write_encoded_datum(encode_image(image, "png"), index))
    return str(path)


def test_encoded_images_have_their_own_channels_or_those_asked_for(tmp_path):
    color, grey = make_images(1, (3, 4, 5))[0], make_images(1, (1, 4, 5))[0]
    path = encoded_database(tmp_path / "db", color, grey)
    with DataRun(data(path)) as run:
        np.testing.assert_array_equal(run.forward()[0][0], color)
        np.testing.assert_array_equal(run.forward()[0][0], grey)
    for text in (data(path, 2, transform="force_color: true"), data(path, 2, "force_encoded_color: true")):
        with DataRun(text) as run:
            np.testing.assert_array_equal(run.forward()[0][1], np.repeat(grey, 3, axis=0))
    with DataRun(data(path, 2, transform="force_gray: true")) as run:
        assert run.forward()[0].shape == (2, 1, 4, 5)
    with DataRun(data(path, 2)) as run, pytest.raises(NetcliError, match="is 1x4x5, the first of its batch is 3x4x5"):
        run.forward()


def test_a_record_that_is_none_is_named(tmp_path):
    with LmdbWriter(str(tmp_path / "db")) as database:
        database.put(b"00000000_a.png", write_datum(make_images(1)[0], 0))
        database.put(b"00000001_b.png", b"\xff\xff")
        database.put(b"00000002_c.png", write_encoded_datum(b"no image", 0))
    with DataRun(data(tmp_path / "db")) as run:
        run.forward()
        with pytest.raises(NetcliError) as caught:
            run.forward()
        assert str(caught.value) == f"{tmp_path}/db: record 1 ('00000001_b.png'): 2 bytes that are not a Datum"
        run.layer.seek(2)
        with pytest.raises(NetcliError, match=r"record 2 \('00000002_c.png'\): not an image file of a known kind"):
            run.forward()


def test_an_lmdb_is_read_as_one_whatever_backend_says(tmp_path, caplog):
    path = make_lmdb(tmp_path / "db", make_images(2))
    with DataRun(data(path, 1, "")) as run:
        assert run.labels() == [0]
    assert caplog.messages == [
        f"layer 'L': backend is LEVELDB (Caffe's default), but {path} is an LMDB and read as one"
    ]


def test_a_transform_among_the_databases_settings_has_no_effect_and_says_so(tmp_path, caplog):
    path = make_lmdb(tmp_path / "db", make_images(2))
    with caplog.at_level(logging.WARNING), DataRun(data(path, 1, "scale: 0.5 mirror: true backend: LMDB")) as run:
        np.testing.assert_array_equal(run.forward()[0], make_images(2)[:1])
    assert caplog.messages == [
        f"layer 'L': {name} in data_param has no effect, as in Caffe; it stands in transform_param now"
        for name in ("scale", "mirror")
    ]


def test_rand_skip_has_no_effect_and_says_so(tmp_path, caplog):
    path = make_lmdb(tmp_path / "db", make_images(9))
    with caplog.at_level(logging.WARNING), DataRun(data(path, 1, "rand_skip: 8 backend: LMDB")) as run:
        assert run.labels() == [0]
    assert caplog.messages == ["layer 'L': rand_skip has no effect in Data layers, as in Caffe"]


@needs_leveldb
@pytest.mark.parametrize("more", ["", "backend: LEVELDB"])
def test_a_leveldb(tmp_path, caplog, more):
    images = make_images(5)
    path = make_database(tmp_path / "db", LEVELDB, images)
    with DataRun(data(path, 3, more)) as run:
        for start in (0, 3):
            order = [(start + i) % 5 for i in range(3)]
            tops = run.forward()
            np.testing.assert_array_equal(tops[0], images[order])
            np.testing.assert_array_equal(tops[1], order)
    assert caplog.messages == []


@needs_leveldb
def test_a_leveldb_is_read_as_one_whatever_backend_says(tmp_path, caplog):
    path = make_database(tmp_path / "db", LEVELDB, make_images(2))
    with DataRun(data(path, 1, "backend: LMDB")) as run:
        assert run.labels() == [0]
    assert caplog.messages == [f"layer 'L': backend is LMDB, but {path} is a LevelDB and read as one"]


@needs_leveldb
def test_of_a_folder_with_both_backend_says_which(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(1), [7])
    other = make_database(tmp_path / "other", LEVELDB, make_images(1), [8])
    shutil.copytree(other, path, dirs_exist_ok=True)
    for more, label in (("backend: LMDB", 7), ("", 8)):
        with DataRun(data(path, 1, more)) as run:
            assert run.labels() == [label]


@needs_leveldb
def test_the_same_leveldb_twice_in_one_process_and_shuffled(tmp_path):
    path = make_database(tmp_path / "db", LEVELDB, make_images(50)[:, :1, :2, :2])
    with DataRun(data(path, 50, "shuffle: true")) as train, DataRun(data(path, 3), train=False) as test:
        labels = train.labels()
        assert sorted(labels) == list(range(50)) != labels
        assert test.labels() == [0, 1, 2]


def test_databases_that_are_none(tmp_path):
    assert fault(data(tmp_path / "db")) == f"data_param.source: there is no database {tmp_path}/db"
    assert fault(data(tmp_path)) == (
        f"data_param.source: {tmp_path} is neither an LMDB nor a LevelDB: the "
        "folder holds no data.mdb, and no file CURRENT"
    )
    assert fault("type: 'Data' data_param { batch_size: 1 }") == (
        "data_param.source: data_param needs source, the folder of a database"
    )
    with LmdbWriter(str(tmp_path / "empty")):
        pass
    assert fault(data(tmp_path / "empty")) == f"data_param.source: {tmp_path}/empty holds no records"


def test_bottoms_and_tops(tmp_path):
    assert fault(data(tmp_path), tops=3) == "top: takes 1 to 2 tops, got 3"


@needs_shared
def test_records_of_caffe_in_caffe_s_order():
    with DataRun(data(SHARED / "golden" / "solvers" / "lmdb", 64, transform="scale: 0.00390625")) as run:
        assert run.top[0].shape == (64, 1, 28, 28)
        assert run.labels()[:10] == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]  # as MNIST begins


def test_shuffled_in_windows_records_that_follow_each_other_stay_near(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(100)[:, :1, :2, :2])
    more = "shuffle: true shuffle_window: 10 backend: LMDB"
    with DataRun(data(path, 100, more), seed=3) as run:
        epochs = [run.labels(), run.labels()]
    for order in epochs:
        assert sorted(order) == list(range(100))
        windows = [{int(label) // 10 for label in order[first : first + 10]} for first in range(0, 100, 10)]
        assert all(len(window) == 1 for window in windows)
        assert [window.pop() for window in windows] != list(range(10))
        assert any(order[first : first + 10] != sorted(order[first : first + 10]) for first in range(0, 100, 10))
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("mib", [0, 1])
def test_images_that_are_kept_are_decoded_once(tmp_path, monkeypatch, mib):
    images = make_images(6, (3, 20, 20))
    with LmdbWriter(str(tmp_path / "db")) as database:
        for i, image in enumerate(images):
            database.put(b"%d" % i, write_encoded_datum(encode_image(image, "png"), i))
    decoded = []
    read = data_module.read_datum
    monkeypatch.setattr(data_module, "read_datum", lambda *given: decoded.append(1) or read(*given))
    more = f"backend: LMDB cache: true cache_mib: {mib}"
    with DataRun(data(tmp_path / "db", 6, more)) as run:
        for _ in range(3):
            np.testing.assert_array_equal(run.forward()[0], images)
    assert (len(decoded) == 6) == (mib == 1)


def test_threads_by_the_command_line_count_more_than_the_layer_s(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(40))
    made = []
    for own, given in ((1, None), (3, None), (1, 2)):
        set_data_threads(given)
        try:
            text = data(path, 40, f"backend: LMDB threads: {own}", "mirror: true crop_size: 2")
            with DataRun(text) as run:
                assert run.layer._threads() == (given or own)
                made.append(run.forward()[0].copy())
        finally:
            set_data_threads(None)
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])


def mixed(tmp_path, *weights, more=""):
    """Databases of 6, 3 and so on records, labels 0 .. 5, 100 .. 102 and so on."""
    text = []
    for number, (count, weight) in enumerate(zip((6, 3, 1), weights, strict=False)):
        path = tmp_path / f"db{number}"
        if not path.exists():
            make_lmdb(path, make_images(count)[:, :1, :2, :2], [100 * number + i for i in range(count)])
        text.append(f"mixed {{ source: '{path}' weight: {weight} }}")
    return f"type: 'Data' data_param {{ batch_size: 3 backend: LMDB {more} {' '.join(text)} }}"


def test_several_databases_in_their_own_numbers(tmp_path):
    """An epoch has each record once where no weight is given, in an order that is drawn."""
    with DataRun(mixed(tmp_path, 0, 0), seed=2) as run:
        epochs = [[label for _ in range(3) for label in run.labels()] for _ in range(3)]
    for order in epochs:
        assert sorted(order) == [0, 1, 2, 3, 4, 5, 100, 101, 102]
        assert [label for label in order if label < 100] == [0, 1, 2, 3, 4, 5]
    assert epochs[0] != epochs[1]


def test_several_databases_by_weight(tmp_path):
    with DataRun(mixed(tmp_path, 1, 2), seed=2) as run:
        labels = [label for _ in range(3 * 4) for label in run.labels()]
    first, second = ([label for label in labels if (label >= 100) == of_second] for of_second in (False, True))
    assert (len(first), len(second)) == (12, 24)
    assert first == [0, 1, 2, 3, 4, 5] * 2
    assert second == [100, 101, 102] * 8


@pytest.mark.parametrize("position", [0, 3, 12, 30])
def test_a_seek_in_several_databases(tmp_path, position):
    text = mixed(tmp_path, 5, 1, 1, more="shuffle: true")
    with DataRun(text, seed=4) as run:
        labels = [label for _ in range(14) for label in run.labels()]
    with DataRun(text, seed=4) as run:
        run.layer.seek(position)
        assert run.labels() == labels[position : position + 3]


def test_faults_of_several_databases(tmp_path):
    assert "source and mixed exclude each other" in fault(mixed(tmp_path, 0, more="source: 'x'"))
    assert "a weight is a number from 0 on" in fault(mixed(tmp_path, -1))
    text = mixed(tmp_path, 0).replace("}", f"}} mixed {{ source: '{tmp_path}/none' }}", 1)
    assert "there is no database" in fault(text)
