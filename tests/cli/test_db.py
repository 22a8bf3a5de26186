import json
import os

import numpy as np
import pytest

from databases import make_database, make_images, make_lmdb, needs_leveldb
from netcli.errors import DataError
from netcli.sources.database import LEVELDB, LMDB, create_database, open_database
from netcli.sources.datum import read_datum, write_datum, write_encoded_datum
from netcli.sources.image_file import encode_image, image_size, read_image
from netcli.sources.lmdb_writer import LmdbWriter

kinds = pytest.mark.parametrize("kind", [LMDB, pytest.param(LEVELDB, marks=needs_leveldb)])


def contents(path):
    with open_database(str(path)) as reader:
        return [reader[i] for i in range(len(reader))]


def labels(path):
    return [read_datum(value)[1] for _, value in contents(path)]


@pytest.fixture
def mixed(tmp_path):
    image = make_images(1)[0]
    with create_database(str(tmp_path / "mixed"), LMDB) as writer:
        writer.put(b"00000000_a.jpg", write_encoded_datum(encode_image(image, "jpg"), 3))
        writer.put(b"00000001_b.png", write_encoded_datum(encode_image(image[:1], "png"), 3))
        writer.put(b"00000002_c", write_datum(image, 0))
        writer.put(b"00000003_d", write_datum(image.astype(np.float32) / 300, 7))
        writer.put(b"broken", b"\xff")
    return tmp_path / "mixed"


# -- info


@kinds
def test_info_of_a_plain_database(tmp_path, netcli, kind):
    path = make_database(tmp_path / "db", kind, make_images(12), np.arange(12) % 3)
    status, out, _ = netcli("db", "info", path)
    lines = out.splitlines()
    assert status == 0
    assert lines[0].startswith(f"{path}: {'LMDB' if kind == LMDB else 'LevelDB'}, 12 records, ")
    assert ("may grow to 256.0 MiB" in lines[0]) == (kind == LMDB)
    assert lines[1:5] == [
        "keys    a number of 8 digits; '00000000' to '00000011'",
        "stored  bytes",
        "images  3x6x5",
        "labels  0..2, 3 different, 4 records of each",
    ]


def test_info_tells_what_is_mixed(mixed, netcli):
    status, out, _ = netcli("db", "info", mixed, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["records"] == found["looked_at"] == 5
    assert {each["form"]: each["records"] for each in found["stored"]} == {"JPEG": 1, "PNG": 1, "bytes": 1, "floats": 1}
    assert {tuple(each["shape"]): each["records"] for each in found["images"]} == {(3, 6, 5): 3, (1, 6, 5): 1}
    assert found["labels"] == {"0": 1, "3": 2, "7": 1}
    assert found["map_bytes"] == 1 << 28
    assert found["value_bytes"]["least"] == 1
    assert found["broken"] == [f"{mixed}: record 4 ('broken'): 1 bytes that are not a Datum"]
    assert "broken  1 records: " in netcli("db", "info", mixed)[1]


def test_info_of_a_sample(tmp_path, netcli):
    path = make_lmdb(tmp_path / "db", make_images(100))
    found = json.loads(netcli("db", "info", path, "--sample", 3, "--json")[1])
    assert (found["records"], found["looked_at"], found["labels"]) == (100, 3, {"0": 1, "49": 1, "99": 1})
    assert "what follows is of 3 of them" in netcli("db", "info", path, "--sample", 3)[1]


def test_no_database(tmp_path, netcli):
    for name in ("info", "show", "verify"):
        status, _, err = netcli("db", name, tmp_path / "db")
        assert (status, err) == (2, f"netcli: there is no database {tmp_path}/db\n")


def test_a_command_that_is_not_there(netcli):
    status, _, err = netcli("db", "inf")
    assert status == 2
    assert "No such command 'inf'; did you mean 'info'?" in err


# -- show


def test_show_lines(mixed, tmp_path, netcli):
    (tmp_path / "names").write_text("zero\none\ntwo\nthree\n")
    status, out, _ = netcli("db", "show", mixed, "--labels", tmp_path / "names")
    rows = [line.split() for line in out.splitlines()[1:]]
    assert status == 0
    assert rows[0][:6] == ["0", "00000000_a.jpg", "3", "three", "3x6x5", "JPEG"]
    assert rows[3][:5] == ["3", "00000003_d", "7", "3x6x5", "floats"]
    assert "broken: 1 bytes that are not a Datum" in out.splitlines()[5]


def test_show_picks_by_label_start_and_chance(tmp_path, netcli):
    path = make_lmdb(tmp_path / "db", make_images(60), np.arange(60) % 6)

    def numbers(*options):
        return [json.loads(line)["record"] for line in netcli("db", "show", path, "--json", *options)[1].splitlines()]

    assert numbers("--start", 57) == [57, 58, 59]
    assert numbers("--label", 4, "--label", 5, "--count", 3) == [4, 5, 10]
    picked = numbers("--shuffle", "--seed", 1, "--count", 60)
    assert picked == numbers("--shuffle", "--seed", 1, "--count", 60) != sorted(picked)
    assert sorted(picked) == list(range(60))
    assert netcli("db", "show", path, "--label", 9)[2] == f"netcli: {path} has no record of label 9\n"
    assert netcli("db", "show", path, "--start", 60)[0] == 2


def test_show_draws_a_sheet_broken_records_too(mixed, tmp_path, netcli):
    status, out, _ = netcli("db", "show", mixed, "--out", tmp_path / "sheet.png", "--columns", 3)
    assert (status, out) == (0, f"{tmp_path}/sheet.png: 5 images\n")
    assert image_size(str(tmp_path / "sheet.png"))[1] == 8 + 3 * (96 + 8)
    assert netcli("db", "show", mixed, "--out", tmp_path / "sheet.gif")[0] == 2


# -- get


def test_get_an_image_by_number_and_by_key(tmp_path, netcli):
    images = make_images(5)
    path = make_lmdb(tmp_path / "db", images)
    for words, index in ((("--record", 3), 3), (("--record", -1), 4), (("--key", "00000002"), 2)):
        status, out, _ = netcli("db", "get", path, tmp_path / "x.png", *words)
        assert status == 0
        assert f"3x6x5, label {index}, stored as bytes" in out
        np.testing.assert_array_equal(read_image(str(tmp_path / "x.png")), images[index])


@needs_leveldb
def test_get_from_a_leveldb_by_key(tmp_path, netcli):
    path = make_database(tmp_path / "db", LEVELDB, make_images(5))
    assert netcli("db", "get", path, tmp_path / "x.datum", "--key", "00000004")[0] == 0
    assert (tmp_path / "x.datum").read_bytes() == contents(path)[4][1]


def test_get_gives_files_and_datums_as_they_are(mixed, tmp_path, netcli):
    held = contents(mixed)
    assert netcli("db", "get", mixed, tmp_path / "a.jpg", "--record", 0)[0] == 0
    assert (tmp_path / "a.jpg").read_bytes() in held[0][1]
    assert netcli("db", "get", mixed, tmp_path / "b.datum", "--record", 4)[0] == 0
    assert (tmp_path / "b.datum").read_bytes() == b"\xff"
    assert netcli("db", "get", mixed, tmp_path / "c.png", "--record", 0, "--raw")[0] == 0
    assert (tmp_path / "c.png").read_bytes() == held[0][1]
    assert "stretched to 0..255" in netcli("db", "get", mixed, tmp_path / "d.png", "--record", 3)[2]
    assert image_size(str(tmp_path / "d.png")) == (6, 5)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("x.png", "--record", 5), "has 5 records, numbered from 0; there is no record 5"),
        (("x.png", "--record", -6), "there is no record -6"),
        (("x.png", "--key", "none"), "has no record with the key 'none'"),
        (("x.png", "--key", ""), "has no record with the key ''"),
        (("x.png", "--record", 4), "record 4 ('broken'): 1 bytes that are not a Datum; --raw gives it as it is"),
        (("x.gif", "--record", 4), "OUT ends with one of .jpg"),
        (("x.png",), "give --record or --key"),
    ],
)
def test_get_what_is_not_there(mixed, tmp_path, netcli, words, message):
    status, _, err = netcli("db", "get", mixed, tmp_path / words[0], *words[1:])
    assert status == 2
    assert message in err
    assert not (tmp_path / words[0]).exists()


# -- verify


def test_verify(mixed, tmp_path, netcli):
    status, out, _ = netcli("db", "verify", mixed)
    assert status == 1
    assert out.splitlines() == [
        f"{mixed}: record 4 ('broken'): 1 bytes that are not a Datum",
        "note: images are of 2 sizes, the most frequent 3x6x5 (3), 1x6x5 (1)",
        f"{mixed}: 5 records, 1 fault",
    ]
    sound = make_lmdb(tmp_path / "db", make_images(30))
    assert netcli("db", "verify", sound, "--check-size")[:2] == (0, f"{sound}: 30 records, no fault\n")
    status, out, _ = netcli("db", "verify", sound, "--classes", 2)
    assert (status, out.splitlines()[20:]) == (1, ["and 8 more; --all prints them", f"{sound}: 30 records, 28 faults"])
    assert len(netcli("db", "verify", sound, "--classes", 2, "--all")[1].splitlines()) == 29
    found = json.loads(netcli("db", "verify", sound, "--classes", 2, "--json")[1])
    assert (found["records"], len(found["faults"]), found["notes"]) == (30, 28, [])


# -- merge


@kinds
def test_merge_keeps_order_values_and_names(tmp_path, netcli, kind):
    first = make_database(tmp_path / "a", kind, make_images(3))
    with create_database(str(tmp_path / "b"), LMDB) as writer:
        writer.put(b"00000000_cat.jpg", write_datum(make_images(1, seed=1)[0], 5))
        writer.put(b"dog", write_datum(make_images(1, seed=2)[0], 6))
    status, out, _ = netcli("db", "merge", first, tmp_path / "b", tmp_path / "out")
    assert (status, out) == (0, f"{tmp_path}/out: 5 records of 2 databases\n")
    found = contents(tmp_path / "out")
    assert [key for key, _ in found] == [b"00000000", b"00000001", b"00000002", b"00000003_cat.jpg", b"00000004_dog"]
    assert [value for _, value in found] == [value for path in (first, tmp_path / "b") for _, value in contents(path)]
    assert os.path.exists(tmp_path / "out" / "data.mdb") == (kind == LMDB)


def test_merge_in_random_order(tmp_path, netcli):
    parts = [
        make_lmdb(tmp_path / name, make_images(20), range(start, start + 20)) for name, start in (("a", 0), ("b", 20))
    ]
    for name in ("x", "y"):
        assert netcli("db", "merge", *parts, tmp_path / name, "--shuffle", "--seed", 4)[0] == 0
    assert contents(tmp_path / "x") == contents(tmp_path / "y")
    assert sorted(labels(tmp_path / "x")) == list(range(40)) != labels(tmp_path / "x")


def test_merge_refuses_equal_keys_and_leaves_nothing(tmp_path, netcli):
    parts = [make_lmdb(tmp_path / name, make_images(3)) for name in "ab"]
    status, _, err = netcli("db", "merge", *parts, tmp_path / "out", "--keep-keys")
    assert (status, err) == (2, f"netcli: {tmp_path}/out: the key '00000000' is given twice\n")
    status, _, err = netcli("db", "merge", *parts, parts[0], "--force")
    assert status == 2
    assert "is named twice" in err
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]
    assert netcli("db", "merge", *parts, tmp_path / "out", "--keep-keys", "--shuffle")[0] == 2


# -- split


def test_split_by_chance_alike_in_labels(tmp_path, netcli):
    path = make_lmdb(tmp_path / "db", make_images(100), [0] * 80 + [1] * 20)
    words = ("db", "split", path, f"{tmp_path}/a=0.7", f"{tmp_path}/b=rest", "--stratify", "--seed", 1)
    status, out, _ = netcli(*words)
    assert status == 0
    assert out == f"{tmp_path}/a: 70 records\n{tmp_path}/b: 30 records\ndealt out by seed 1\n"
    parts = [contents(tmp_path / name) for name in "ab"]
    assert sorted(parts[0] + parts[1]) == contents(path)
    assert [labels(tmp_path / name).count(1) for name in "ab"] == [14, 6]
    assert netcli(*words)[0] == 2  # they are there
    assert netcli(*words, "--force")[0] == 0
    assert [contents(tmp_path / name) for name in "ab"] == parts


@needs_leveldb
def test_split_in_order_with_new_numbers_to_another_kind(tmp_path, netcli):
    path = make_lmdb(tmp_path / "db", make_images(10))
    words = ("db", "split", path, f"{tmp_path}/a=4", f"{tmp_path}/b=3", "--in-order", "--renumber")
    status, out, _ = netcli(*words, "--new-backend", "leveldb")
    assert (status, out.splitlines()[-1]) == (0, "3 of 10 records are in no part")
    assert labels(tmp_path / "a") == [0, 1, 2, 3]
    assert labels(tmp_path / "b") == [4, 5, 6]
    assert [key for key, _ in contents(tmp_path / "b")] == [b"00000000", b"00000001", b"00000002"]
    assert (tmp_path / "a" / "CURRENT").exists()


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (["a=0.9", "b=0.2"], "the parts want 11 records of 10"),
        (["a=ten"], "'a=ten' is not like train_lmdb=0.9"),
        (["a=2", "a=3"], "is named twice"),
        (["a=2", "none/db=2", "b=100"], "the parts want 104 records of 10"),
    ],
)
def test_split_that_can_not_be_leaves_nothing(tmp_path, netcli, monkeypatch, parts, message):
    monkeypatch.chdir(tmp_path)
    make_lmdb(tmp_path / "db", make_images(10))
    status, _, err = netcli("db", "split", "db", *parts)
    assert status == 2
    assert message in err
    assert os.listdir(tmp_path) == ["db"]


def test_a_part_that_is_there_stops_the_others(tmp_path, netcli):
    path = make_lmdb(tmp_path / "db", make_images(10))
    make_lmdb(tmp_path / "b", make_images(1))
    assert netcli("db", "split", path, f"{tmp_path}/a=5", f"{tmp_path}/b=5")[0] == 2
    assert sorted(os.listdir(tmp_path)) == ["b", "db"]
    assert len(contents(tmp_path / "b")) == 1


def test_parts_come_into_place_together_or_not_at_all(tmp_path, netcli, monkeypatch):
    path = make_lmdb(tmp_path / "db", make_images(10))
    flushed = []

    def flush(writer):
        flushed.append(writer)
        if len(flushed) == 2:
            raise DataError("the disk is full")

    monkeypatch.setattr(LmdbWriter, "flush", flush)
    status, _, err = netcli("db", "split", path, f"{tmp_path}/a=5", f"{tmp_path}/b=5")
    assert (status, err) == (2, "netcli: the disk is full\n")
    assert os.listdir(tmp_path) == ["db"]
