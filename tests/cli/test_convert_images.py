import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from databases import make_images, make_list, needs_leveldb
from netcli.arrays.resize import resize
from netcli.cli.convert_images import command
from netcli.errors import DataError
from netcli.prototxt import schema
from netcli.sources.database import open_database
from netcli.sources.datum import read_datum
from netcli.sources.image_file import decode_image


def convert(*arguments):
    """What the command prints; raises what it raises."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def records(path):
    with open_database(str(path)) as database:
        return [database[i] for i in range(len(database))]


@pytest.fixture
def images():
    return make_images(5, (3, 4, 6))


@pytest.fixture
def folder(tmp_path, images):
    """Five PNG files below photos/ and a list of them, labels 10 .. 14."""
    (tmp_path / "photos").mkdir()
    make_list(tmp_path / "photos", images)
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {10 + i}\n" for i in range(5)))
    return tmp_path


def run(folder, *options, root="photos/"):
    return convert(
        folder / root if not root.endswith("/") else f"{folder}/{root}", folder / "list.txt", folder / "db", *options
    )


def test_a_database_as_caffe_makes_it(folder, images):
    assert run(folder).output == f"{folder}/db: 5 records\n"
    made = records(folder / "db")
    assert [key for key, _ in made] == [b"%08d_%d.png" % (i, i) for i in range(5)]
    for i, (_, value) in enumerate(made):
        datum = schema.Datum.FromString(value)
        assert (datum.channels, datum.height, datum.width, datum.label, datum.encoded) == (3, 4, 6, 10 + i, False)
        assert datum.data == images[i].tobytes()
    assert sorted(os.listdir(folder)) == ["db", "list.txt", "photos"]
    assert os.listdir(folder / "db") == ["data.mdb"]


def test_a_root_without_a_slash_is_a_folder_all_the_same(folder):
    run(folder, root="photos")
    assert len(records(folder / "db")) == 5


def test_grey_and_resized(folder, images):
    run(folder, "--gray")
    assert read_datum(records(folder / "db")[0][1])[0].shape == (1, 4, 6)
    run(folder, "--force", "--resize-width", 3, "--resize-height", 9)
    np.testing.assert_array_equal(read_datum(records(folder / "db")[1][1])[0], resize(images[1], 9, 3))


def test_shuffled_the_same_by_the_same_seed(folder):
    orders = []
    for seed in (1, 1, 2):
        assert run(folder, "--shuffle", "--seed", seed, "--force").output.endswith(
            f"5 records, shuffled by seed {seed}\n"
        )
        made = records(folder / "db")
        assert [key[:8] for key, _ in made] == [b"%08d" % i for i in range(5)]
        orders.append([key[9:] for key, _ in made])
        assert [read_datum(value)[1] for _, value in made] == [10 + int(name[:1]) for name in orders[-1]]
    assert orders[0] == orders[1] != orders[2]
    assert "shuffled by seed " in run(folder, "--shuffle", "--force").output


def test_encoded_files_are_kept_as_they_are_or_encoded_anew(folder, images):
    def first(*options):
        run(folder, "--force", *options)
        datum = schema.Datum.FromString(records(folder / "db")[0][1])
        assert datum.encoded
        assert datum.label == 10
        return datum.data

    file = (folder / "photos" / "0.png").read_bytes()
    assert first("--encoded") == file
    assert first("--encode-type", "png") == file
    assert first("--encode-type", "jpg")[:2] == b"\xff\xd8"
    np.testing.assert_array_equal(
        decode_image(first("--encoded", "--resize-width", 5, "--resize-height", 5)), resize(images[0], 5, 5)
    )
    assert decode_image(first("--encoded", "--gray")).shape == (1, 4, 6)


def test_an_unreadable_image_fails_the_run_and_leaves_nothing(folder):
    (folder / "photos" / "1.png").write_bytes(b"no image")
    (folder / "photos" / "3.png").unlink()
    with pytest.raises(DataError) as caught:
        run(folder)
    assert str(caught.value) == (
        f"2 of 5 images ({folder}/list.txt:2: {folder}/photos/1.png: not an image file of a known kind, "
        f"{folder}/list.txt:4: {folder}/photos/3.png can't be read: No such file or directory) are unreadable, and "
        f"{folder}/db was not made"
    )
    assert sorted(os.listdir(folder)) == ["list.txt", "photos"]


def test_unreadable_images_can_be_left_out(folder):
    (folder / "photos" / "1.png").write_bytes(b"no image")
    output = run(folder, "--skip-unreadable").output
    assert output.startswith(f"{folder}/db: 4 records; 1 of 5 images ({folder}/list.txt:2: ")
    assert output.endswith(") is left out\n")
    assert [key for key, _ in records(folder / "db")] == [b"%08d_%d.png" % (i, i) for i in (0, 2, 3, 4)]


def test_no_readable_image_at_all(folder):
    for i in range(5):
        (folder / "photos" / f"{i}.png").unlink()
    with pytest.raises(DataError, match=r"5 of 5 images .* and 2 more\) are unreadable"):
        run(folder, "--skip-unreadable")
    assert not (folder / "db").exists()


def test_sizes_are_checked_on_request(folder):
    make_list(folder / "photos", [*make_images(4, (3, 4, 6)), make_images(1, (3, 5, 6))[0]])
    run(folder)
    with pytest.raises(DataError) as caught:
        run(folder, "--check-size", "--force")
    assert str(caught.value) == "image 00000004_4.png is 3x5x6, the first is 3x4x6"
    assert len(records(folder / "db")) == 5  # the old one is still there


def test_a_database_is_replaced_only_by_force(folder):
    run(folder)
    with pytest.raises(DataError, match="db exists already; delete it, or replace it by --force"):
        run(folder)
    (folder / "list.txt").write_text("4.png 7\n")
    run(folder, "--force")
    assert [key for key, _ in records(folder / "db")] == [b"00000000_4.png"]


@needs_leveldb
def test_a_leveldb_holds_the_same_records_by_the_same_rules(folder):
    run(folder)
    wanted = records(folder / "db")
    with pytest.raises(DataError, match="db exists and is not a LevelDB; it is left alone"):
        run(folder, "--backend", "leveldb", "--force")
    shutil.rmtree(folder / "db")
    assert run(folder, "--backend", "leveldb").output == f"{folder}/db: 5 records\n"
    assert records(folder / "db") == wanted
    with pytest.raises(DataError, match="db exists already; delete it, or replace it by --force"):
        run(folder, "--backend", "leveldb")
    (folder / "list.txt").write_text("4.png 7\n")
    run(folder, "--backend", "leveldb", "--force")
    assert [key for key, _ in records(folder / "db")] == [b"00000000_4.png"]
    (folder / "photos" / "4.png").unlink()
    with pytest.raises(DataError, match="unreadable, and"):
        run(folder, "--backend", "leveldb", "--force")
    assert [key for key, _ in records(folder / "db")] == [b"00000000_4.png"]
    assert sorted(os.listdir(folder)) == ["db", "list.txt", "photos"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--resize-width", "5"], "--resize-width and --resize-height go together"),
        (["--encode-type", "gif"], "--encode-type is one of jpg, jpeg, png"),
        (["--backend", "bsddb"], "'bsddb' is not one of 'lmdb', 'leveldb'"),
    ],
)
def test_options_that_do_not_fit(folder, options, sentence):
    result = run(folder, *options)
    assert result.exit_code == 2
    assert sentence in result.output


def test_the_order_does_not_depend_on_which_image_is_decoded_first(folder, monkeypatch):
    from netcli.cli import convert_images

    read = convert_images.read_image

    def slow(file, color):
        time.sleep(0.02 if Path(file).name == "0.png" else 0)
        return read(file, color)

    monkeypatch.setattr(convert_images, "read_image", slow)
    monkeypatch.setattr(convert_images, "AHEAD", 3)
    run(folder)
    assert [key for key, _ in records(folder / "db")] == [b"%08d_%d.png" % (i, i) for i in range(5)]


def test_a_fault_is_one_sentence_and_status_2(folder):
    done = subprocess.run(
        [sys.executable, "-m", "netcli", "convert-images", str(folder), str(folder / "no.txt"), str(folder / "db")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"netcli: {folder}/no.txt can't be read: No such file or directory\n"


def test_an_interrupt_leaves_nothing(folder):
    (folder / "list.txt").write_text("0.png 1\n" * 200000)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "netcli",
            "convert-images",
            f"{folder}/photos/",
            str(folder / "list.txt"),
            str(folder / "db"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 20
    while not (folder / "db.partial").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert sorted(os.listdir(folder)) == ["list.txt", "photos"]
