"""convert-images --shards: databases in shards, which are read together."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from databases import make_images, make_list, needs_leveldb
from netcli.cli.convert_images import command
from netcli.errors import DataError
from netcli.sources.database import open_database


def convert(*arguments):
    """What the command prints; raises what it raises."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def records(path):
    with open_database(str(path)) as database:
        return [database[i] for i in range(len(database))]


def make_photos(folder, count, bad=(), line="{}"):
    """A list of `count` images, of which some can't be read; there are six files."""
    (folder / "photos").mkdir()
    make_list(folder / "photos", make_images(5))
    (folder / "photos" / "bad.png").write_bytes(b"no image")
    names = ["bad" if i in bad else i % 5 for i in range(count)]
    (folder / "list.txt").write_text("".join(f"{name}.png {line.format(i, -i)}\n" for i, name in enumerate(names)))
    return folder


def run(folder, *options):
    return convert(f"{folder}/photos/", folder / "list.txt", folder / "db", *options)


@settings(max_examples=25, deadline=None)
@given(data=st.data(), count=st.integers(1, 40), shards=st.integers(1, 12), shuffle=st.booleans())
def test_the_shards_together_are_the_database_that_is_not_in_shards(tmp_path_factory, data, count, shards, shuffle):
    bad = data.draw(st.sets(st.integers(0, count - 1), max_size=count - 1))
    folder = make_photos(tmp_path_factory.mktemp("images"), count, bad)
    options = ["--skip-unreadable", *(["--shuffle", "--seed", 5] if shuffle else [])]
    run(folder, *options)
    wanted = records(folder / "db")
    shutil.rmtree(folder / "db")
    if shards > count:
        with pytest.raises(DataError, match=f"{count} images? can't be dealt out to {shards} shards"):
            run(folder, *options, "--shards", shards)
        assert sorted(os.listdir(folder)) == ["list.txt", "photos"]
        return
    said = run(folder, *options, "--shards", shards, "--verify", "--workers", data.draw(st.integers(1, 3)))
    assert said.startswith(f"{folder}/db@{shards}: {len(wanted)} records")
    assert records(folder / f"db@{shards}") == wanted
    names = [f"db-{i:05d}-of-{shards:05d}" for i in range(shards)]
    assert sorted(os.listdir(folder)) == [*names, "list.txt", "photos"]


@pytest.mark.parametrize("way", ["threads", "processes"])
def test_any_number_of_workers_makes_the_same_bytes(tmp_path, monkeypatch, way):
    from netcli.sources import conversion

    monkeypatch.setattr(conversion, "SHORT", 0)
    monkeypatch.setattr(conversion, "SMALL", 0 if way == "threads" else float("inf"))
    folder = make_photos(tmp_path, 200, bad=(3, 60, 61, 199))
    made = []
    for workers in (1, 3):
        run(folder, "--skip-unreadable", "--shards", 7, "--workers", workers, "--force")
        made.append([file.read_bytes() for file in sorted(folder.glob("db-*/data.mdb"))])
    assert made[0] == made[1]
    assert len(made[0]) == 7


@needs_leveldb
def test_shards_that_are_leveldbs(tmp_path):
    folder = make_photos(tmp_path, 9, bad=(4,))
    run(folder, "--skip-unreadable", "--shards", 2, "--backend", "leveldb")
    assert (folder / "db-00001-of-00002" / "CURRENT").exists()
    made = records(folder / "db@2")
    assert [int(key[:8]) for key, _ in made] == [0, 1, 2, 3, 5, 6, 7, 8]
    with pytest.raises(DataError, match="db-00000-of-00002 exists and is not an LMDB; it is left alone"):
        run(folder, "--skip-unreadable", "--shards", 2, "--force")


def test_several_numbers_for_each_image_go_to_as_many_shards(tmp_path):
    folder = make_photos(tmp_path, 10, bad=(0, 7), line="{}.5 {}")
    run(folder, "--vectors", 2, "--skip-unreadable", "--shuffle", "--seed", 4)
    wanted = records(folder / "db_labels")
    shutil.rmtree(folder / "db")
    shutil.rmtree(folder / "db_labels")
    run(folder, "--vectors", 2, "--skip-unreadable", "--shuffle", "--seed", 4, "--shards", 3)
    assert records(folder / "db_labels@3") == wanted
    for index in range(3):
        part = f"-0000{index}-of-00003"
        assert [key for key, _ in records(f"{folder}/db{part}")] == [
            key for key, _ in records(f"{folder}/db_labels{part}")
        ]


def test_a_fault_leaves_nothing(tmp_path):
    folder = make_photos(tmp_path, 30, bad=(2, 25))
    with pytest.raises(DataError, match=r"2 of 30 images \(.*bad.png.*\) are unreadable, and .*db@4 was not made"):
        run(folder, "--shards", 4, "--max-bad", 1)
    (folder / "photos" / "bad.png").write_bytes((folder / "photos" / "0.png").read_bytes())
    make_list(folder / "photos", [*make_images(4), make_images(1, (3, 9, 5))[0]])
    with pytest.raises(DataError, match=r"image 00000004_4\.png is 3x9x5, the first is 3x6x5"):
        run(folder, "--shards", 10, "--check-size")
    assert sorted(os.listdir(folder)) == ["list.txt", "photos"]


def test_all_shards_before_the_first_is_in_its_place(tmp_path):
    """What is there stays as long as the new one is not whole."""
    folder = make_photos(tmp_path, 30)
    run(folder, "--shards", 3)
    before = records(folder / "db@3")
    (folder / "photos" / "4.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"6 of 30 images .* are unreadable"):
        run(folder, "--shards", 3, "--force")
    assert records(folder / "db@3") == before


def test_killed_before_any_step_it_goes_on_to_the_same_bytes(tmp_path):
    """With shards of that number and of another in the place, and a database that is not in shards."""
    folder = make_photos(tmp_path, 14, bad=(5, 9), line="{} {}")
    (folder / "list.txt").rename(folder / "new.txt")
    (folder / "list.txt").write_text("1.png 7\n0.png 8\n2.png 9\n")
    (folder / "old").mkdir()
    for options in (["--shards", 2], [], ["--shards", 3]):
        run(folder, *options)
        for path in folder.glob("db*"):
            path.rename(folder / "old" / path.name)
    (folder / "new.txt").rename(folder / "list.txt")
    program = Path(__file__).with_name("kill_shards.py")
    done = subprocess.run([sys.executable, program, folder], capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert int(done.stdout.split()[-1]) > 30


def test_interrupted_it_says_so_and_goes_on(tmp_path):
    folder = make_photos(tmp_path, 20_000)
    words = [sys.executable, "-m", "netcli", "convert-images", f"{folder}/photos/", f"{folder}/list.txt"]
    words += [f"{folder}/db", "--shards", "8", "--workers", "1"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not (folder / "db.shards.partial" / "db-00000-of-00008").exists() and process.poll() is None:
        time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    if process.returncode:  # else it was faster
        assert (process.returncode, err.splitlines()[0]) == (
            130,
            f"{folder}/db@8 is not finished; the same command goes on where it was",
        )
        assert run(folder, "--shards", 8) == f"{folder}/db@8: 20000 records\n"
    assert len(records(folder / "db@8")) == 20_000
    assert not (folder / "db.shards.partial").exists()


def test_the_number_of_shards_is_no_part_of_the_name(tmp_path):
    folder = make_photos(tmp_path, 3)
    said = convert(f"{folder}/photos/", folder / "list.txt", folder / "db@2", "--shards", 2)
    assert f"--shards N makes DB@N: name DB without a number, not {folder}/db@2" in said
    assert sorted(os.listdir(folder)) == ["list.txt", "photos"]
