import os
import shutil

import lmdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databases import make_database, make_images, needs_leveldb
from netcli.errors import DataError
from netcli.sources.database import BACKENDS, LEVELDB, LMDB, backend_of, create_database, open_database

kinds = pytest.mark.parametrize("kind", [LMDB, pytest.param(LEVELDB, marks=needs_leveldb)])


def refusal(path):
    with pytest.raises(DataError) as caught:
        open_database(str(path))
    return str(caught.value)


@kinds
@pytest.mark.parametrize("preferred", BACKENDS)
def test_a_folder_is_read_as_what_it_holds(tmp_path, kind, preferred):
    path = make_database(tmp_path / "db", kind, make_images(3))
    assert backend_of(path, preferred) == kind
    with open_database(path, preferred) as database:
        assert (database.path, len(database)) == (path, 3)
        assert [database[i][0] for i in range(3)] == [b"%08d" % i for i in range(3)]


@needs_leveldb
def test_of_both_in_one_folder_the_preferred_one_is_read(tmp_path):
    path = make_database(tmp_path / "db", LMDB, make_images(1))
    shutil.copytree(make_database(tmp_path / "other", LEVELDB, make_images(2)), path, dirs_exist_ok=True)
    for preferred, count in ((LMDB, 1), (LEVELDB, 2)):
        with open_database(path, preferred) as database:
            assert len(database) == count


@kinds
def test_a_database_of_one_kind_is_not_replaced_by_the_other(tmp_path, kind):
    path = make_database(tmp_path / "db", kind, make_images(1))
    (other,) = set(BACKENDS) - {kind}
    if other == LEVELDB:
        pytest.importorskip("plyvel")
    with pytest.raises(DataError, match=r"db exists and is not an? L\w+; it is left alone"):
        create_database(path, other, overwrite=True)
    with open_database(path) as database:
        assert len(database) == 1


def test_folders_that_hold_none(tmp_path):
    assert refusal(tmp_path / "db") == f"there is no database {tmp_path}/db"
    assert refusal(tmp_path) == (
        f"{tmp_path} is neither an LMDB nor a LevelDB: the folder holds no data.mdb, and no file CURRENT"
    )
    (tmp_path / "MANIFEST-000002").touch()
    assert refusal(tmp_path) == f"{tmp_path} is a LevelDB that lacks its file CURRENT; copy or make it again"
    assert refusal(tmp_path / "MANIFEST-000002") == (
        f"{tmp_path}/MANIFEST-000002 is a file; a database is named by the folder that holds its files"
    )


# -- what holds of both kinds


def contents(path):
    with open_database(str(path)) as reader:
        return [reader[i] for i in range(len(reader))]


def write(path, kind, records, **options):
    with create_database(str(path), kind, **options) as writer:
        for key, value in records:
            writer.put(key, value)
    return str(path)


@kinds
@settings(max_examples=15, deadline=None)
@given(data=st.data(), count=st.integers(1, 700), size=st.sampled_from([10, 900, 70000]))
def test_any_order_of_reading_gives_the_records_by_their_rank(tmp_path_factory, kind, data, count, size):
    count = min(count, 5_000_000 // size)
    records = [(b"%04d" % i, b"value %d" % i + bytes(size)) for i in range(count)]
    path = write(tmp_path_factory.mktemp("db") / "db", kind, records)
    wanted = data.draw(st.lists(st.integers(0, count - 1), max_size=20))
    with open_database(path) as reader:
        assert len(reader) == count
        for i in wanted:
            assert reader[i] == records[i]
        for i in (count, -1):
            with pytest.raises(IndexError):
                reader[i]


@kinds
@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.binary(min_size=1, max_size=511), st.binary(max_size=9000), min_size=1, max_size=12))
def test_any_records_in_any_order_come_back_sorted(tmp_path_factory, kind, records):
    path = write(tmp_path_factory.mktemp("db") / "db", kind, records.items())
    assert contents(path) == sorted(records.items())


@kinds
def test_a_database_without_records(tmp_path, kind):
    path = write(tmp_path / "db", kind, [])
    assert refusal(path) == f"{path} holds no records"
    write(path, kind, [(b"a", b"b")], overwrite=True)  # it was closed all the same
    assert contents(path) == [(b"a", b"b")]


@kinds
def test_a_block_left_by_an_exception_leaves_nothing(tmp_path, kind):
    def records():
        yield b"new", b"2"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "db", kind, records())
    assert os.listdir(tmp_path) == []


@kinds
def test_a_folder_that_is_no_database_is_never_replaced(tmp_path, kind):
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(DataError, match=r"is not an? L\w+; it is left alone"):
        create_database(str(tmp_path), kind, overwrite=True)


@kinds
def test_a_database_behind_a_link_is_replaced_where_it_lies(tmp_path, kind):
    write(tmp_path / "disk", kind, [(b"a", b"old")])
    (tmp_path / "db").symlink_to("disk")
    write(tmp_path / "db", kind, [(b"a", b"new")], overwrite=True)
    assert (tmp_path / "db").is_symlink()
    assert contents(tmp_path / "disk") == [(b"a", b"new")]
    assert sorted(os.listdir(tmp_path)) == ["db", "disk"]


@kinds
def test_a_database_that_another_has_made_meanwhile_is_left_alone(tmp_path, kind):
    late = create_database(str(tmp_path / "db"), kind)
    write(tmp_path / "db", kind, [(b"a", b"first")])
    with pytest.raises(DataError, match="exists already; delete it, or replace it by --force"), late:
        pass
    assert contents(tmp_path / "db") == [(b"a", b"first")]
    assert os.listdir(tmp_path) == ["db"]


def test_an_lmdb_that_can_not_be_begun_leaves_nothing(tmp_path, monkeypatch):
    def full(*_, **__):
        raise lmdb.Error("No space left on device")

    monkeypatch.setattr(lmdb, "open", full)
    with pytest.raises(DataError, match="db can't be made: No space left on device"):
        write(tmp_path / "db", LMDB, [])
    assert os.listdir(tmp_path) == []


@kinds
def test_what_a_killed_writer_left_is_cleared(tmp_path, kind):
    os.rename(write(tmp_path / "other", kind, [(b"x", b"y")]), tmp_path / "db.partial")
    write(tmp_path / "db", kind, [(b"a", b"b")])
    assert contents(tmp_path / "db") == [(b"a", b"b")]
    assert os.listdir(tmp_path) == ["db"]


@kinds
def test_a_folder_of_someone_elses_is_not_cleared(tmp_path, kind):
    (tmp_path / "db.partial").mkdir()
    (tmp_path / "db.partial" / "notes").touch()
    with pytest.raises(DataError, match=r"db can't be made: .*db\.partial holds other files and is left alone"):
        write(tmp_path / "db", kind, [(b"a", b"b")])
    assert os.listdir(tmp_path / "db.partial") == ["notes"]


@kinds
def test_two_writers_of_one_database(tmp_path, kind):
    path = str(tmp_path / "db")
    with create_database(path, kind) as first:
        first.put(b"a", b"b")
        with pytest.raises(DataError, match="another process is writing it"), create_database(path, kind):
            pass
    assert contents(path) == [(b"a", b"b")]


@kinds
def test_a_key_given_twice(tmp_path, kind):
    with pytest.raises(DataError, match="the key 'a' is given twice"):
        write(tmp_path / "db", kind, [(b"a", b"1"), (b"b", b"1"), (b"a", b"2")])
    assert os.listdir(tmp_path) == []


@kinds
def test_a_place_below_a_file(tmp_path, kind):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="can't be made: Not a directory"):
        write(tmp_path / "file" / "db", kind, [])
