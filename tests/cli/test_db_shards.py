"""netcli db over databases in shards."""

import json
import os
import shutil

import numpy as np
import pytest

from databases import make_database, make_images, make_lmdb, needs_leveldb
from netcli.sources.database import LEVELDB, LMDB, open_database

kinds = pytest.mark.parametrize("kind", [LMDB, pytest.param(LEVELDB, marks=needs_leveldb)])


def contents(path):
    with open_database(str(path)) as reader:
        return [reader[i] for i in range(len(reader))]


@kinds
def test_a_database_in_shards_is_one_to_every_command(tmp_path, netcli, kind):
    one = make_database(tmp_path / "db", kind, make_images(10), np.arange(10) % 3)
    db = f"{tmp_path}/db@4"
    assert netcli("db", "split", one, "--shards", 4)[:2] == (0, f"{db}: 10 records\n")
    assert contents(db) == contents(one)
    infos = [json.loads(netcli("db", "info", path, "--json")[1]) for path in (one, db)]
    parts = infos[1].pop("shards")
    assert infos[0].pop("shards") == []
    assert [part["records"] for part in parts] == [2, 3, 2, 3]
    assert sum(part["disk_bytes"] for part in parts) == infos[1].pop("disk_bytes")
    del infos[0]["disk_bytes"]
    assert [info.pop("path") for info in infos] == [one, db]
    assert infos[1].pop("map_bytes") == (4 << 28 if kind == LMDB else None)
    del infos[0]["map_bytes"]
    assert infos[0] == infos[1]
    lines = netcli("db", "info", db)[1].splitlines()
    assert lines[0].startswith(f"{db}: {'LMDB' if kind == LMDB else 'LevelDB'} in 4 shards, 10 records, ")
    assert lines[1] == f"shards  {tmp_path}/db-00000-of-00004 to {tmp_path}/db-00003-of-00004, 2 to 3 records each"
    assert netcli("db", "verify", db)[1] == f"{db}: 10 records, no fault\n"
    for words in (("show",), ("show", "--start", 7), ("show", "--shuffle", "--seed", 3)):
        assert netcli("db", words[0], db, *words[1:])[1] == netcli("db", words[0], one, *words[1:])[1]
    for choice in (("--record", 6), ("--record", -1), ("--key", "00000008")):
        netcli("db", "get", db, tmp_path / "a.datum", *choice)
        netcli("db", "get", one, tmp_path / "b.datum", *choice)
        assert (tmp_path / "a.datum").read_bytes() == (tmp_path / "b.datum").read_bytes()
    assert netcli("compute-mean", db)[1] == netcli("compute-mean", one)[1]
    assert netcli("db", "merge", db, tmp_path / "again")[1] == f"{tmp_path}/again: 10 records of 1 database\n"
    assert contents(tmp_path / "again") == contents(one)
    assert netcli("db", "split", db, f"{tmp_path}/a=4", f"{tmp_path}/b=rest", "--in-order")[0] == 0
    assert contents(tmp_path / "a") + contents(tmp_path / "b") == contents(one)


def test_one_record_each(tmp_path, netcli):
    netcli("db", "split", make_lmdb(tmp_path / "db", make_images(2)), "--shards", 2)
    lines = netcli("db", "info", f"{tmp_path}/db@2")[1].splitlines()
    assert lines[1].endswith(", 1 record each")
    assert ", 1 record of each" in " ".join(lines)


def test_shards_are_dealt_out_anew_in_another_number(tmp_path, netcli):
    one = contents(make_lmdb(tmp_path / "db", make_images(7)))
    netcli("db", "split", tmp_path / "db", "--shards", 2)
    status, _, err = netcli("db", "split", f"{tmp_path}/db@2", "--shards", 3)
    assert (status, "db-00000-of-00002 exists already; delete it, or replace it by --force" in err) == (2, True)
    assert netcli("db", "split", f"{tmp_path}/db@2", "--shards", 3, "--force")[0] == 0
    assert sorted(os.listdir(tmp_path)) == ["db", *(f"db-0000{i}-of-00003" for i in range(3))]
    assert contents(tmp_path / "db") == contents(f"{tmp_path}/db@3") == one


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["split", "db@2", "--shards", "2", "--force"], "is named twice"),
        (["split", "db@2", "--shards", "9"], "8 records can't be dealt out to 9 shards"),
        (["split", "db@2"], "give parts, such as train_lmdb=0.9 val_lmdb=rest, or --shards"),
        (["split", "db@2", "a=1", "--shards", "2"], "give parts"),
        (["split", "db@2", "--shards", "2", "--stratify"], "--shards keeps records and keys as they are"),
        (["merge", "db@2", "db-00001-of-00002", "--force"], "is named twice"),
        (["info", "db@3"], "there is no database db@3; there is db@2"),
        (["info", "db"], "there is no database db; there is db@2"),
    ],
)
def test_shards_that_can_not_be(tmp_path, netcli, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    make_lmdb(tmp_path / "db", make_images(8))
    netcli("db", "split", "db", "--shards", 2)
    shutil.rmtree("db")
    status, _, err = netcli("db", *words)
    assert status == 2
    assert message in err
    assert sorted(os.listdir(tmp_path)) == ["db-00000-of-00002", "db-00001-of-00002"]
