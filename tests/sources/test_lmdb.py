import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import lmdb
import numpy as np
import pytest

from databases import SHARED, make_images, make_lmdb, needs_shared
from netcli.errors import DataError
from netcli.sources import lmdb_writer, new_folder
from netcli.sources.lmdb_reader import LmdbReader, check_database
from netcli.sources.lmdb_writer import LmdbWriter


def contents(path):
    with LmdbReader(str(path)) as reader:
        return [reader[i] for i in range(len(reader))]


def write(path, records, **options):
    with LmdbWriter(str(path), **options) as writer:
        for key, value in records:
            writer.put(key, value)
    return str(path)


def write_and_fail(path, fault, **options):
    """Leave the writer by an exception, after a record."""

    def records():
        yield b"new", b"2"
        raise fault

    with pytest.raises(type(fault)):
        write(path, records(), **options)


def refusal(path):
    with pytest.raises(DataError) as caught:
        LmdbReader(str(path))
    return str(caught.value)


# -- reading


def test_a_damaged_page_is_told(tmp_path):
    path = write(tmp_path / "db", [(b"%08d" % i, bytes(60)) for i in range(500)])
    file = tmp_path / "db" / "data.mdb"
    content = bytearray(file.read_bytes())
    for page in range(2, len(content) // 4096):
        flags = page * 4096 + 10
        if content[flags] == 0x02:  # a leaf becomes a page of no kind
            content[flags] = 0x00
    file.write_bytes(content)
    with LmdbReader(path) as reader, pytest.raises(DataError, match=r"db is damaged at record 0: .*wrong type"):
        reader[0]


def test_two_readers_share_one_database_and_the_last_closes_it(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(3))
    a, b = LmdbReader(path), LmdbReader(path)
    a.close()
    a.close()
    assert b[2][0] == b"00000002"
    b.close()
    lmdb.open(path, readonly=True, lock=False).close()  # refused if it were still open


def test_a_database_replaced_while_it_is_read_is_read_to_its_end(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(2))
    with LmdbReader(path) as old:
        write(path, [(b"new", b"one")], overwrite=True)
        with LmdbReader(path) as new:
            assert new[0] == (b"new", b"one")
        assert old[1][0] == b"00000001"


def test_a_read_only_folder_is_read(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(2))
    os.chmod(path, 0o555)
    assert len(contents(path)) == 2
    assert os.listdir(path) == ["data.mdb"]  # no lock file was made


def test_what_is_not_there(tmp_path):
    assert refusal(tmp_path / "db") == f"there is no database {tmp_path}/db"


def test_a_folder_without_a_database(tmp_path):
    assert refusal(tmp_path) == f"{tmp_path} is not an LMDB: the folder holds no data.mdb"


def test_the_data_file_itself(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(1))
    assert "is a file; an LMDB is named by the folder" in refusal(Path(path) / "data.mdb")


def test_an_empty_file(tmp_path):
    (tmp_path / "data.mdb").touch()
    assert "data.mdb is empty" in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"x", b"not a database" * 1000, bytes(100000)])
def test_another_file(tmp_path, content):
    (tmp_path / "data.mdb").write_bytes(content)
    assert "is not the data file of an LMDB" in refusal(tmp_path)


# -- cut off files

READ_ALL = """
import lmdb, os, sys
for path in sys.argv[1:]:
    child = os.fork()
    if not child:
        with lmdb.open(path, readonly=True, lock=False) as environment, environment.begin() as transaction:
            for key, value in transaction.cursor():
                pass
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def large_database(path):
    """Records on overflow pages and in leaves, on branches, the last third deleted: its pages are free."""
    with lmdb.open(str(path), map_size=1 << 24, lock=False) as environment:
        with environment.begin(write=True) as transaction:
            for i in range(600):
                transaction.put(b"%08d" % i, bytes([i % 256]) * (5000 if i % 3 else 300))
        with environment.begin(write=True) as transaction:
            for i in range(400, 600):
                transaction.delete(b"%08d" % i)
    return (path / "data.mdb").read_bytes()


def test_a_file_is_refused_just_where_reading_it_would_kill(tmp_path):
    whole = large_database(tmp_path / "whole")
    pages = len(whole) // 4096
    cuts = [0.1, 0.3, 0.5, 0.6, 0.65, 0.7, 0.8, 0.9, 0.95, 1]
    sizes = [int(pages * cut) * 4096 for cut in cuts] + [len(whole) - n * 4096 for n in (1, 2, 5)] + [3 * 4096 + 17]
    paths = []
    for size in sizes:
        path = tmp_path / str(size)
        path.mkdir(exist_ok=True)
        (path / "data.mdb").write_bytes(whole[:size])
        paths.append(str(path))
    done = subprocess.run([sys.executable, "-c", READ_ALL, *paths], capture_output=True, text=True, check=True)
    sound = [code == "0" for code in done.stdout.split()]
    taken = []
    for path in paths:
        with contextlib.suppress(DataError):
            check_database(path)
            taken.append(path)
    assert taken == [path for path, good in zip(paths, sound, strict=True) if good]
    shorter = [path for path in taken if os.path.getsize(f"{path}/data.mdb") < len(whole)]
    assert shorter, "a sound file that lacks free pages should be among them"
    assert len(taken) < len(paths)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.7, None])
def test_a_cut_off_database_says_how_much_is_missing(tmp_path, share):
    path = make_lmdb(tmp_path / "db", make_images(500, (3, 40, 40)))
    file = Path(path) / "data.mdb"
    size = file.stat().st_size
    left = size - 2 * 4096 if share is None else int(size * share)
    os.truncate(file, left)
    assert f"data.mdb is cut off: it ends after {left} bytes, and page" in refusal(path)


def test_a_file_cut_off_in_its_header(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(1))
    os.truncate(Path(path) / "data.mdb", 5000)
    assert "is cut off after 5000 bytes, within its header" in refusal(path)


@pytest.mark.parametrize("seed", range(5))
def test_a_short_file_of_noise_behind_its_header_is_refused(tmp_path, seed):
    whole = large_database(tmp_path / "db")
    noise = np.random.default_rng(seed).bytes(len(whole) - 8192 - 4096)
    (tmp_path / "db" / "data.mdb").write_bytes(whole[:8192] + noise)
    assert "data.mdb is" in refusal(tmp_path / "db")


@needs_shared
def test_a_database_of_caffe_is_read():
    with LmdbReader(str(SHARED / "golden" / "solvers" / "lmdb")) as reader:
        assert len(reader) == 1280


# -- writing


def test_the_map_grows_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(lmdb_writer, "FIRST_MAP", 1 << 15)
    monkeypatch.setattr(lmdb_writer, "RECORDS_PER_COMMIT", 7)
    records = [(b"%08d" % i, bytes([i]) * 3000) for i in range(100)]
    write(tmp_path / "db", records)
    assert contents(tmp_path / "db") == records


def test_an_existing_database_is_kept_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "db"
    write(path, [(b"old", b"1")])
    with pytest.raises(DataError, match="exists already; delete it, or replace it by --force"):
        LmdbWriter(str(path))
    write_and_fail(path, ZeroDivisionError(), overwrite=True)
    assert contents(path) == [(b"old", b"1")]
    (path / "lock.mdb").touch()  # as Caffe leaves it
    write(path, [(b"new", b"2")], overwrite=True)
    assert contents(path) == [(b"new", b"2")]
    assert os.listdir(path) == ["data.mdb"]
    assert os.listdir(tmp_path) == ["db"]


def test_a_key_that_is_too_long(tmp_path):
    with pytest.raises(DataError, match="a key of 600 bytes is longer than LMDB's 511"):
        write(tmp_path / "db", [(b"k" * 600, b"")])


@pytest.mark.parametrize(
    ("scarce", "why"),
    # On a full disk LMDB speaks of an input/output error, too.
    [(0, "Input/output error"), (1 << 62, "No space left on device")],
)
def test_a_full_disk_is_told_and_nothing_is_left(tmp_path, monkeypatch, scarce, why):
    monkeypatch.setattr(new_folder, "SCARCE", scarce)
    # A limit on the size of files stands in for the disk's: the same call fails.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(DataError, match=f"can't be written, and nothing is left of it: .*{why}"):
            write(tmp_path / "db", [(b"%08d" % i, bytes(3000)) for i in range(1000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("job", ["these", ""])
def test_interrupted_while_the_disk_is_waited_for_it_goes_on(tmp_path, monkeypatch, job):
    def interrupt(_self):
        raise KeyboardInterrupt

    monkeypatch.setattr(LmdbWriter, "_put_in_place", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path / "db", [(b"a", b"1"), (b"b", b"2")], job=job)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == (["db.partial"] if job else [])
    with LmdbWriter(str(tmp_path / "db"), job=job) as writer:
        assert writer.written == ([b"a", b"b"] if job else [])
