import shutil

import pytest

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
