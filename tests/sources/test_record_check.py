import numpy as np
import pytest

from databases import make_images, make_lmdb
from netcli.sources.database import LMDB, create_database, open_database
from netcli.sources.datum import write_datum, write_encoded_datum
from netcli.sources.image_file import encode_image
from netcli.sources.record_check import check_records
from netcli.sources.record_set import DatabaseRecords


@pytest.fixture
def bad(tmp_path):
    image = make_images(1)[0]
    whole = write_datum(image, 1)
    jpeg = encode_image(make_images(1, (3, 32, 32))[0], "jpg")
    values = {
        b"00000000_a": whole,
        b"00000001_b": b"\xff\xff",
        b"00000002_c": whole[:-40],
        b"00000003_d": write_encoded_datum(b"no image", 0),
        b"00000004_e": write_encoded_datum(jpeg[: len(jpeg) // 2], 0),
        b"00000005_f": write_datum(image[:, :3], 9),
        b"00000006_a": whole,
        b"00000007_g": b"",
    }
    with create_database(str(tmp_path / "db"), LMDB) as writer:
        for key, value in values.items():
            writer.put(key, value)
    records = DatabaseRecords(open_database(str(tmp_path / "db")))
    yield records
    records.close()


@pytest.mark.parametrize("threads", [1, 3])
def test_every_fault_is_named_in_order(bad, threads):
    told = []
    found = check_records(bad, classes=5, threads=threads, told=told.append)
    assert (found.checked, told) == (8, [8])
    start = [fault[len(bad.path) + 2 :].split(")")[0] + ")" for fault in found.faults]
    assert start == [f"record {i} ('0000000{i}_{name}')" for i, name in zip([1, 2, 3, 4, 5, 7], "bcdefg", strict=True)]
    assert found.faults[0].endswith("2 bytes that are not a Datum")
    assert "not an image file of a known kind" in found.faults[2]
    assert found.faults[4].endswith("has label 9, which is not in 0..4")
    assert found.faults[5].endswith("a Datum of 0x0x0 has no pixels")
    assert found.notes == [
        "images are of 2 sizes, the most frequent 3x6x5 (2), 3x3x5 (1)",
        "1 name stands in keys of several numbers; the first is 'a'",
    ]


def test_one_size(bad):
    found = check_records(bad, one_size=True)
    assert f"{bad.path}: record 5 ('00000005_f') is 3x3x5, the first is 3x6x5" in found.faults
    assert len(found.notes) == 1


def test_values_that_are_not_finite(tmp_path):
    images = make_images(3).astype(np.float32)
    images[1, 0, 0, 0] = np.inf
    records = DatabaseRecords(open_database(make_lmdb(tmp_path / "db", images)))
    found = check_records(records)
    records.close()
    assert found.faults == [f"{records.path}: record 1 ('00000001') has values that are nan or infinite"]


def test_a_sound_database(tmp_path):
    records = DatabaseRecords(open_database(make_lmdb(tmp_path / "db", make_images(70), np.arange(70) % 3)))
    found = check_records(records, classes=3, one_size=True)
    records.close()
    assert (found.checked, found.faults, found.notes) == (70, [], [])
