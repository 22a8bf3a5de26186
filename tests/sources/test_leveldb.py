import os
import resource
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from databases import make_database, make_images
from netcli.errors import DataError, NetcliError
from netcli.sources import leveldb_reader, leveldb_writer, new_folder
from netcli.sources.database import LEVELDB
from netcli.sources.leveldb_reader import LevelDbReader
from netcli.sources.leveldb_writer import LevelDbWriter

plyvel = pytest.importorskip("plyvel", reason="plyvel is not installed")

# A process that has the database of its argument open until its input ends.
HOLDER = """
import plyvel, sys
database = plyvel.DB(sys.argv[1])
print(flush=True)
sys.stdin.read()
"""


def contents(path):
    with LevelDbReader(str(path)) as reader:
        return [reader[i] for i in range(len(reader))]


def write(path, records, **options):
    with LevelDbWriter(str(path), **options) as writer:
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
        LevelDbReader(str(path))
    return str(caught.value)


def file_of(path, kind):
    """The one file of a kind that a database has."""
    (found,) = Path(path).glob(f"*.{kind}")
    return found


def in_tables(path, count=3000, size=600):
    """A database whose records are in a table, as they are after it was opened again."""
    records = [(b"%08d" % i, b"%d" % i * (size // len(str(i)))) for i in range(count)]
    write(path, records)
    plyvel.DB(str(path), **leveldb_reader.OPTIONS).close()
    return records


class Holder:
    """Another process that has a database open."""

    def __init__(self, path):
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.process.stdout.readline()

    def __enter__(self):
        return self.process

    def __exit__(self, *fault):
        self.process.communicate()


# -- reading


def test_reading_elsewhere_does_not_pass_all_records_before(tmp_path, monkeypatch):
    in_tables(tmp_path / "db", 3000, 600)
    with LevelDbReader(str(tmp_path / "db")) as reader:
        steps = 0

        class Counted:
            def __init__(self, iterator):
                self.iterator = iterator

            def next(self):
                nonlocal steps
                steps += 1
                self.iterator.next()

            def __getattr__(self, name):
                return getattr(self.iterator, name)

        reader._records = Counted(reader._records)
        for i in (2999, 0, 1500, 2900):
            assert reader[i][0] == b"%08d" % i
        a_block = leveldb_reader.OPTIONS["block_size"] // 600 + 1
        assert steps <= 4 * a_block


def test_what_caffe_wrote_last_lies_in_a_log_and_is_read(tmp_path):
    path = write(tmp_path / "db", [(b"%08d" % i, b"x") for i in range(9)])
    assert file_of(path, "log").stat().st_size > 0
    assert list(Path(path).glob("*.ldb")) == []
    assert [key for key, _ in contents(path)] == [b"%08d" % i for i in range(9)]


def test_tables_of_an_older_leveldb_are_read(tmp_path):
    records = in_tables(tmp_path / "db")
    table = file_of(tmp_path / "db", "ldb")
    table.rename(table.with_suffix(".sst"))
    assert contents(tmp_path / "db") == records


def test_two_readers_share_one_database_and_the_last_closes_it(tmp_path):
    path = make_database(tmp_path / "db", LEVELDB, make_images(3))
    a, b = LevelDbReader(path), LevelDbReader(f"{tmp_path}/../{tmp_path.name}/db")
    a.close()
    a.close()
    assert b[2][0] == b"00000002"
    b.close()
    plyvel.DB(path).close()  # refused if it were still open


def test_a_database_of_which_nothing_is_kept_is_closed(tmp_path):
    path = make_database(tmp_path / "db", LEVELDB, make_images(3))
    LevelDbReader(path)
    plyvel.DB(path).close()


def test_another_process_that_has_it_open_is_named(tmp_path):
    path = make_database(tmp_path / "db", LEVELDB, make_images(3))
    with Holder(path) as process:
        name = Path(f"/proc/{process.pid}/comm").read_text().strip()
        sentence = f"{path} is in use by process {process.pid} ({name}); a LevelDB is open in one process at a time"
        assert refusal(path) == sentence
        with pytest.raises(DataError) as caught:
            LevelDbWriter(path, overwrite=True)
        assert str(caught.value) == sentence
    assert len(contents(path)) == 3


def test_a_folder_that_is_read_only(tmp_path, monkeypatch):
    path = make_database(tmp_path / "db", LEVELDB, make_images(2))
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert refusal(path) == f"{path} is read-only, and LevelDB writes to a folder it reads from; copy it elsewhere"


def test_what_is_not_there(tmp_path):
    assert refusal(tmp_path / "db") == f"there is no database {tmp_path}/db"
    assert refusal(tmp_path) == f"{tmp_path} is not a LevelDB: the folder holds no file CURRENT"


def test_a_folder_where_a_log_belongs(tmp_path):
    path = write(tmp_path / "db", [(b"a", b"b")])
    (tmp_path / "db" / "000009.log").mkdir()
    assert refusal(path) == f"{path}/000009.log can't be read: Is a directory"


def test_plyvel_that_is_not_installed(tmp_path, monkeypatch):
    path = make_database(tmp_path / "db", LEVELDB, make_images(1))
    monkeypatch.setitem(sys.modules, "plyvel", None)
    for use in (lambda: LevelDbReader(path), lambda: LevelDbWriter(str(tmp_path / "new"))):
        with pytest.raises(NetcliError) as caught:
            use()
        assert str(caught.value) == "LevelDB databases need plyvel: pip install netcli[leveldb]"


def test_a_large_database_says_that_it_is_counted(tmp_path, monkeypatch, caplog):
    path = write(tmp_path / "db", [(b"a", bytes(1000000))])
    monkeypatch.setattr(leveldb_reader, "LARGE", 900000)
    assert len(contents(path)) == 1
    assert caplog.messages == [f"{path} holds 0.0 GB, which are read once to count the records"]


# -- damaged files


def flip(file, offset):
    content = bytearray(file.read_bytes())
    content[offset] ^= 0xFF
    file.write_bytes(content)


def test_a_damaged_table_is_told_at_the_beginning(tmp_path):
    in_tables(tmp_path / "db")
    flip(file_of(tmp_path / "db", "ldb"), 50000)
    sentence = refusal(tmp_path / "db")
    assert sentence.startswith(f"{tmp_path}/db is damaged at record ")
    assert sentence.endswith("LevelDB says 'Corruption: block checksum mismatch'; copy or make it again")
    plyvel.DB(str(tmp_path / "db")).close()  # it was closed all the same


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: file_of(path, "ldb").unlink(), "can't be opened: LevelDB says 'Corruption: 1 missing files"),
        (lambda path: os.truncate(file_of(path, "ldb"), 40000), "is damaged at record 0: LevelDB says"),
        (lambda path: os.truncate(next(path.glob("MANIFEST-*")), 20), "can't be opened: LevelDB says 'Corruption: "),
        (lambda path: next(path.glob("MANIFEST-*")).unlink(), "CURRENT points to a non-existent file"),
        (lambda path: os.truncate(path / "CURRENT", 0), "CURRENT file does not end with newline"),
    ],
    ids=["no table", "half a table", "half a manifest", "no manifest", "empty CURRENT"],
)
def test_a_copy_that_is_not_whole(tmp_path, damage, words):
    in_tables(tmp_path / "db")
    damage(tmp_path / "db")
    sentence = refusal(tmp_path / "db")
    assert sentence.startswith(f"{tmp_path}/db ")
    assert words in sentence


def test_a_log_is_refused_wherever_it_is_cut_off_within_a_write(tmp_path, monkeypatch):
    monkeypatch.setattr(leveldb_writer, "RECORDS_PER_WRITE", 40)
    write(tmp_path / "db", [(b"%08d" % i, bytes([i]) * 977) for i in range(100)])
    log = file_of(tmp_path / "db", "log")
    whole = log.read_bytes()
    ends = ends_of_writes(whole)
    assert len(ends) == 4  # none, and three writes, the first longer than a block
    for size in [*range(1, len(whole), 3911), *(end + 1 for end in ends[:-1]), *(end - 1 for end in ends[1:])]:
        log.write_bytes(whole[:size])
        assert refusal(tmp_path / "db") == (
            f"{log} is cut off: it ends after {size} bytes, in the middle of a write; copy or make it again"
        )
    log.write_bytes(whole[: ends[2]])  # nobody can know
    assert len(contents(tmp_path / "db")) == 80


def ends_of_writes(log):
    """Where in a log a program could have stopped after a write, by reading it as log_format.md tells."""
    ends, at = [0], 0
    while at < len(log):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
        length, kind = struct.unpack_from("<HB", log, at + 4)
        at += 7 + length
        if kind in (1, 4):
            ends.append(at)
    return ends


def test_a_log_that_was_reserved_longer_than_written_is_whole(tmp_path):
    path = write(tmp_path / "db", [(b"a", b"b")])
    with open(file_of(path, "log"), "ab") as file:
        file.write(bytes(1000))
    assert contents(path) == [(b"a", b"b")]


def test_a_damaged_log(tmp_path):
    path = write(tmp_path / "db", [(b"%08d" % i, bytes(1000)) for i in range(10)])
    flip(file_of(path, "log"), 5000)
    assert refusal(path) == f"{path} can't be opened: LevelDB says 'Corruption: checksum mismatch'"


# -- writing


def test_a_database_is_made_as_caffe_makes_it(tmp_path):
    in_tables(tmp_path / "db", 2000, 1000)
    # 2 MB of digits that repeat: Snappy's compression was at work.
    assert file_of(tmp_path / "db", "ldb").stat().st_size < 400_000
    with plyvel.DB(str(tmp_path / "db")) as database:
        assert [key for key, _ in database] == [b"%08d" % i for i in range(2000)]


def test_many_small_writes_lose_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(leveldb_writer, "RECORDS_PER_WRITE", 7)
    monkeypatch.setattr(leveldb_writer, "BYTES_PER_WRITE", 5000)
    records = [(b"%08d" % i, bytes([i]) * (30 * i)) for i in range(100)]
    write(tmp_path / "db", records)
    assert contents(tmp_path / "db") == records


@pytest.mark.parametrize("at_once", [True, False])
def test_an_existing_database_is_kept_until_the_new_one_is_whole(tmp_path, monkeypatch, at_once):
    if not at_once:  # a system that can't exchange two names
        monkeypatch.setattr(new_folder.ctypes, "CDLL", lambda *_, **__: object())
    path = tmp_path / "db"
    write(path, [(b"old", b"1")])
    with pytest.raises(DataError, match="exists already; delete it, or replace it by --force"):
        LevelDbWriter(str(path))
    write_and_fail(path, ZeroDivisionError(), overwrite=True)
    assert contents(path) == [(b"old", b"1")]
    write(path, [(b"new", b"2")], overwrite=True)
    assert contents(path) == [(b"new", b"2")]
    assert os.listdir(tmp_path) == ["db"]


def test_a_database_that_this_process_reads_is_not_replaced(tmp_path):
    path = write(tmp_path / "db", [(b"old", b"1")])
    with LevelDbReader(path) as reader:
        with pytest.raises(DataError, match="db is being read by this process"):
            LevelDbWriter(path, overwrite=True)
        assert reader[0] == (b"old", b"1")
    writer = LevelDbWriter(path, overwrite=True).__enter__()
    reader = LevelDbReader(path)  # somebody comes meanwhile
    with pytest.raises(DataError, match="db is being read by this process"):
        writer.__exit__(None, None, None)
    assert reader[0] == (b"old", b"1")
    reader.close()
    assert os.listdir(tmp_path) == ["db"]


def test_a_full_disk_is_told_and_nothing_is_left(tmp_path):
    # A limit on the size of files stands in for the disk's: the same call fails.
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, before[1]))
    try:
        with pytest.raises(DataError, match=r"can't be written, and nothing is left of it: IO error: .*File too large"):
            write(tmp_path / "db", [(b"%08d" % i, bytes(3000)) for i in range(1000)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == []


def test_a_key_given_twice_is_found_among_what_was_written_too(tmp_path, monkeypatch):
    monkeypatch.setattr(leveldb_writer, "RECORDS_PER_WRITE", 1)
    with pytest.raises(DataError, match="the key 'a' is given twice"):
        write(tmp_path / "db", [(b"a", b"1"), (b"b", b"1"), (b"a", b"2")])


def test_what_a_repair_left_is_cleared_too(tmp_path):
    shutil.copytree(write(tmp_path / "other", [(b"x", b"y")]), tmp_path / "db.partial")
    (tmp_path / "db.partial" / "lost").mkdir()
    write(tmp_path / "db", [(b"a", b"b")])
    assert contents(tmp_path / "db") == [(b"a", b"b")]
