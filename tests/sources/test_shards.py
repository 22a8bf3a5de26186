import os
import resource
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databases import DataRun, make_database, make_images, make_lmdb, needs_leveldb
from netcli.errors import DataError
from netcli.sources.database import BACKENDS, LEVELDB, LMDB, backend_of, create_database, keys_in, open_database
from netcli.sources.shard_writer import ShardWriter
from netcli.sources.shards import Shards, folders_of, found_shards, shards_of

kinds = pytest.mark.parametrize("kind", [LMDB, pytest.param(LEVELDB, marks=needs_leveldb)])


def contents(path):
    with open_database(str(path)) as reader:
        return [reader[i] for i in range(len(reader))]


def write(path, count, records, kind=LMDB, **options):
    """The records dealt out to shards in their order."""
    shards = Shards(str(path), count)
    with ShardWriter([shards.base], count, kind, **options) as new:
        for index in range(new.finished, count):
            with new.create(shards.base, index) as writer:
                for number in shards.span(index, len(records)):
                    writer.put(*records[number])
    return shards.name


RECORDS = [(b"%08d" % i, b"value %d" % i) for i in range(10)]


def refusal(path):
    with pytest.raises(DataError) as caught:
        open_database(str(path))
    return str(caught.value)


# -- reading


@kinds
@settings(max_examples=15, deadline=None)
@given(data=st.data(), records=st.integers(1, 60), count=st.integers(1, 8))
def test_shards_are_read_as_the_one_database_in_any_order(tmp_path_factory, kind, data, records, count):
    folder = tmp_path_factory.mktemp("db")
    wanted = [(b"%04d" % i, b"value %d" % i * i) for i in range(records)]
    path = write(folder / "db", count, wanted, kind)  # some have none, where there are fewer records than shards
    assert contents(path) == wanted
    with open_database(path) as reader:
        assert (reader.path, len(reader)) == (path, records)
        for i in data.draw(st.lists(st.integers(0, records - 1), max_size=20)):
            assert reader[i] == tuple(map(bytes, reader.view(i))) == wanted[i]
            assert reader.get(wanted[i][0]) == wanted[i][1]
        for i in (records, -1):
            with pytest.raises(IndexError):
                reader[i]
        assert reader.get(b"none") is None


@kinds
def test_the_kind_is_that_of_the_shards(tmp_path, kind):
    path = write(tmp_path / "db", 2, RECORDS, kind)
    for preferred in BACKENDS:
        assert backend_of(path, preferred) == kind
    assert sorted(os.listdir(tmp_path)) == ["db-00000-of-00002", "db-00001-of-00002"]
    assert keys_in(f"{tmp_path}/db-00001-of-00002") == [key for key, _ in RECORDS[5:]]


@needs_leveldb
def test_shards_of_both_kinds_are_not_one_database(tmp_path):
    write(tmp_path / "db", 2, RECORDS)
    write(tmp_path / "other", 2, RECORDS, LEVELDB)
    shutil.rmtree(tmp_path / "db-00001-of-00002")
    os.rename(tmp_path / "other-00001-of-00002", tmp_path / "db-00001-of-00002")
    assert refusal(tmp_path / "db@2") == f"{tmp_path}/db@2 has shards that are LMDBs and others that are LevelDBs"


def test_shards_that_are_missing_are_named(tmp_path):
    path = write(tmp_path / "db", 8, RECORDS)
    for index in (3, 5):
        shutil.rmtree(tmp_path / f"db-0000{index}-of-00008")
    assert refusal(path) == (
        f"2 of 8 shards ({tmp_path}/db-00003-of-00008, {tmp_path}/db-00005-of-00008) are missing from {path}"
    )


def test_another_number_of_shards_than_there_is(tmp_path):
    path = write(tmp_path / "db", 2, RECORDS)
    assert refusal(tmp_path / "db@3") == f"there is no database {tmp_path}/db@3; there is {path}"
    assert refusal(tmp_path / "db") == f"there is no database {tmp_path}/db; there is {path}"
    make_lmdb(tmp_path / "one", make_images(1))
    assert refusal(tmp_path / "one@4") == f"there is no database {tmp_path}/one@4; there is {tmp_path}/one"
    assert refusal(tmp_path / "none@4") == f"there is no database {tmp_path}/none@4"
    for count in (0, 1001):
        assert refusal(tmp_path / f"db@{count}") == f"{tmp_path}/db@{count}: a database has 1 to 1000 shards"


def test_a_shard_that_is_cut_off(tmp_path):
    path = write(tmp_path / "db", 4, RECORDS)
    os.truncate(tmp_path / "db-00002-of-00004" / "data.mdb", 5000)
    assert refusal(path).startswith(f"{tmp_path}/db-00002-of-00004/data.mdb is cut off after 5000 bytes")
    with open_database(f"{tmp_path}/db-00001-of-00004") as reader:  # those before it were closed
        assert len(reader) == 3


def test_shards_without_any_record(tmp_path):
    path = write(tmp_path / "db", 3, [])
    assert refusal(path) == f"{path} holds no records"


def test_a_folder_whose_name_has_the_sign_is_itself(tmp_path):
    path = make_lmdb(tmp_path / "db@2", make_images(3))
    write(tmp_path / "db", 2, RECORDS)
    assert len(contents(path)) == 3
    assert shards_of(path) is None
    assert folders_of(path) == [path]


@pytest.fixture
def few_files():
    """The process may have 20 more files open, and may raise that."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@kinds
def test_more_shards_than_a_process_has_files_open_by_default(tmp_path, few_files, kind):
    records = [(b"%08d" % i, b"") for i in range(60)]
    assert contents(write(tmp_path / "db", 60, records, kind)) == records


def test_more_shards_than_a_process_may_have_files_open(tmp_path, few_files, monkeypatch):
    path = write(tmp_path / "db", 60, [(b"%08d" % i, b"") for i in range(60)])
    monkeypatch.setattr("netcli.sources.database.allow", lambda _count: None)
    sentence = refusal(path)
    assert sentence.startswith(f"{tmp_path}/db-000")
    assert "Too many open files" in sentence
    monkeypatch.undo()
    assert len(contents(path)) == 60


def test_a_path_that_ends_with_a_slash(tmp_path):
    path = write(tmp_path / "db", 2, RECORDS)
    assert contents(f"{path}/") == RECORDS
    assert refusal(f"{tmp_path}/db@{'9' * 5000}").startswith("there is no database")


# -- a layer over them

LAYER = """
type: 'Data' top: 'data' top: 'label' transform_param {{ mirror: true }}
data_param {{ source: '{}' backend: LMDB batch_size: 5 {} }}
"""


@pytest.mark.parametrize("order", ["", "shuffle: true", "shuffle: true shuffle_window: 7"])
def test_a_layer_gives_the_same_batches_as_over_one_database(tmp_path, order):
    one = make_lmdb(tmp_path / "one", make_images(23))
    shards = write(tmp_path / "db", 4, contents(one))
    batches = []
    for source in (one, shards):
        with DataRun(LAYER.format(source, order), seed=3) as run:
            made = [run.forward() for _ in range(12)]  # more than two epochs
        batches.append(made)
        with DataRun(LAYER.format(source, order), seed=3) as run:  # and goes on from any place
            run.layer.seek(5 * 7)
            for found, wanted in zip(run.forward(), made[7], strict=True):
                np.testing.assert_array_equal(found, wanted)
    for one_batch, other in zip(*batches, strict=True):
        for found, wanted in zip(one_batch, other, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_shards_are_looked_for_beside_the_net_too(tmp_path, monkeypatch):
    (tmp_path / "nets").mkdir()
    write(tmp_path / "nets" / "db", 2, contents(make_lmdb(tmp_path / "one", make_images(6))))
    monkeypatch.chdir(tmp_path)
    with DataRun(LAYER.format("db@2", ""), folder=tmp_path / "nets") as run:
        assert run.labels() == [0, 1, 2, 3, 4]
    assert found_shards("none@2", lambda path: path) == "none@2"
    shutil.rmtree(tmp_path / "nets" / "db-00000-of-00002")
    with pytest.raises(DataError, match=r"1 of 2 shards .*nets/db-00000-of-00002\) is missing"):
        DataRun(LAYER.format("db@2", ""), folder=tmp_path / "nets")


# -- making them


@kinds
def test_what_is_there_is_replaced_only_by_force(tmp_path, kind):
    one = make_database(tmp_path / "db", kind, make_images(2))
    with pytest.raises(DataError, match="/db exists already; delete it, or replace it by --force"):
        write(tmp_path / "db", 3, RECORDS, kind)
    write(tmp_path / "db", 3, RECORDS[:6], kind, whole_too=False)  # beside it
    assert len(contents(one)) == 2
    shutil.rmtree(one)
    for count in (2, 3):
        with pytest.raises(DataError, match="db-00000-of-00003 exists already; delete it, or replace it by --force"):
            write(tmp_path / "db", count, RECORDS, kind)
    assert contents(write(tmp_path / "db", 3, RECORDS, kind, overwrite=True)) == RECORDS
    make_database(tmp_path / "db", kind, make_images(2))
    assert contents(write(tmp_path / "db", 2, RECORDS, kind, overwrite=True)) == RECORDS
    assert sorted(os.listdir(tmp_path)) == ["db-00000-of-00002", "db-00001-of-00002"]


def test_a_folder_of_someone_elses_is_left_alone(tmp_path):
    (tmp_path / "db-00001-of-00002").mkdir()
    (tmp_path / "db-00001-of-00002" / "notes").touch()
    with pytest.raises(DataError, match="db-00001-of-00002 exists and is not an LMDB; it is left alone"):
        write(tmp_path / "db", 2, RECORDS, overwrite=True)
    shutil.rmtree(tmp_path / "db-00001-of-00002")
    (tmp_path / "db.shards.partial").mkdir()
    (tmp_path / "db.shards.partial" / "notes").touch()
    with pytest.raises(DataError, match=r"db@2 can't be made: .*db\.shards\.partial holds other files"):
        write(tmp_path / "db", 2, RECORDS)
    assert os.listdir(tmp_path) == ["db.shards.partial"]


def test_two_writers_of_one_set(tmp_path):
    path = f"{tmp_path}/db"
    with ShardWriter([path], 1, LMDB) as first:
        with pytest.raises(DataError, match="db@3 can't be made: another process is writing it"):
            write(path, 3, RECORDS)
        with first.create(path, 0) as writer:
            writer.put(b"a", b"b")
    assert contents(f"{path}@1") == [(b"a", b"b")]


def test_a_link_is_replaced_and_what_it_leads_to_is_left(tmp_path):
    make_lmdb(tmp_path / "disk", make_images(3))
    (tmp_path / "db-00000-of-00001").symlink_to("disk")
    assert contents(write(tmp_path / "db", 1, RECORDS, overwrite=True)) == RECORDS
    assert not (tmp_path / "db-00000-of-00001").is_symlink()
    assert len(contents(tmp_path / "disk")) == 3


def refuse(monkeypatch, name, wanted):
    """A function of the writer of shards fails for paths that end so."""
    from netcli.sources import shard_writer

    owner = shard_writer if name == "remove" else os
    call = getattr(owner, name)

    def refused(*paths):
        if paths[-1].endswith(wanted):
            raise PermissionError(13, "Permission denied")
        call(*paths)

    monkeypatch.setattr(owner, name, refused)


def test_a_set_that_can_not_be_put_in_place_is_not_lost(tmp_path, monkeypatch):
    write(tmp_path / "db", 2, RECORDS[:2])
    refuse(monkeypatch, "remove", "1-of-00002")
    with pytest.raises(DataError) as caught:
        write(tmp_path / "db", 2, RECORDS, overwrite=True, job="these")
    partial = f"{tmp_path}/db.shards.partial"
    assert str(caught.value) == (
        f"{tmp_path}/db@2 is whole, but can't be put in its place: Permission denied; its shards are in {partial}"
    )
    monkeypatch.undo()
    assert contents(write(tmp_path / "db", 2, [], overwrite=True, job="these")) == RECORDS
    assert sorted(os.listdir(tmp_path)) == ["db-00000-of-00002", "db-00001-of-00002"]


def test_shards_of_another_number_stay_until_the_new_ones_are_in_their_places(tmp_path, monkeypatch):
    old = write(tmp_path / "db", 2, RECORDS)
    for name, wanted in (("rename", "db-00001-of-00003"), ("remove", "1-of-00002")):
        refuse(monkeypatch, name, wanted)
        with pytest.raises(DataError, match="Permission denied") as caught:
            write(tmp_path / "db", 3, RECORDS, overwrite=True)
        monkeypatch.undo()
        if name == "rename":
            assert contents(old) == RECORDS
    assert f"db@3 is in its place, but {tmp_path}/db-00001-of-00002 can't be removed" in str(caught.value)
    assert contents(f"{tmp_path}/db@3") == RECORDS
    assert contents(write(tmp_path / "db", 3, RECORDS, overwrite=True)) == RECORDS
    assert len(os.listdir(tmp_path)) == 3


def test_interrupted_while_all_are_put_in_their_places(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("netcli.sources.shard_writer.sync_folder", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "db", 2, RECORDS, job="these")
    monkeypatch.undo()
    with ShardWriter([f"{tmp_path}/db"], 2, LMDB, job="these") as new:
        assert new.finished == 2
    assert contents(f"{tmp_path}/db@2") == RECORDS


def test_a_single_database_does_not_hide_one_in_shards(tmp_path):
    path = write(tmp_path / "db", 2, RECORDS)
    with pytest.raises(DataError, match="db@2 would hide the database in shards of this name; choose another"):
        create_database(path, LMDB, overwrite=True)
