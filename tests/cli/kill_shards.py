"""A conversion to shards that is killed before each of its steps, and gone on with; run by test_convert_shards.py.

python kill_shards.py FOLDER

FOLDER has photos/, list.txt with two numbers a line, and old/, which holds what stood in the place before.  Writes at
how many moments it was killed.
"""

import os
import shutil
import sys
from pathlib import Path

from click.testing import CliRunner

from netcli.cli.convert_images import command
from netcli.errors import DataError
from netcli.sources import lmdb_writer, new_folder
from netcli.sources.database import open_database

KILLED = 9
SHARDS = 3
STEPS = [(os, "rename"), (os, "replace"), (os, "fsync"), (os, "unlink"), (os, "rmdir"), (os, "mkdir")]
STEPS += [(new_folder.shutil, "rmtree"), (lmdb_writer.LmdbWriter, "_commit")]


def kill_before_step(number):
    """Let this process end before its step of that number, from 0, without a last word."""
    left = [number]

    def wrapped(call):
        def step(*arguments, **options):
            if not left[0]:
                os._exit(KILLED)
            left[0] -= 1
            return call(*arguments, **options)

        return step

    for owner, name in STEPS:
        setattr(owner, name, wrapped(getattr(owner, name)))


def convert(folder):
    """The exit status."""
    options = ["--shards", str(SHARDS), "--force", "--max-bad", "2", "--check-size", "--workers", "1"]
    options += ["--report", f"{folder}/bad.txt", "--vectors", "2"]
    result = CliRunner().invoke(command, [f"{folder}/photos/", f"{folder}/list.txt", f"{folder}/db", *options])
    if result.exception is not None:
        sys.stdout.write(f"{result.exception!r}\n")
        sys.stdout.flush()
    return result.exit_code


def convert_apart(folder, number=None):
    """The same in a process of its own, which is killed before a step."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        if number is not None:
            kill_before_step(number)
        os._exit(convert(folder))
    finally:
        os._exit(1)


def contents(path):
    """Records, or None where they can't be read."""
    try:
        with open_database(str(path)) as reader:
            return [reader[i] for i in range(len(reader))]
    except DataError:
        return None


def files(folder):
    """The bytes of all files of the databases, by their names."""
    found = {}
    for path in sorted(folder.glob("db*")):
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file():
                found[str(file.relative_to(folder))] = file.read_bytes()
    return found


def put_back(folder):
    for path in folder.glob("db*"):
        shutil.rmtree(path)
    shutil.copytree(folder / "old", folder, dirs_exist_ok=True)


def main():
    folder = Path(sys.argv[1])
    lmdb_writer.RECORDS_PER_COMMIT = 2
    os.fsync = lambda _descriptor: None  # the disk outlives these processes
    put_back(folder)
    old = contents(folder / f"db@{SHARDS}")
    assert convert(folder) == 0
    whole, new = files(folder), contents(folder / f"db@{SHARDS}")
    report = (folder / "bad.txt").read_text()
    number = 0
    while True:
        put_back(folder)
        status = convert_apart(folder, number)
        if status == 0:
            break
        assert status == KILLED, (number, status)
        seen = contents(folder / f"db@{SHARDS}")
        assert seen is None or seen in (old, new), f"old and new records together after step {number}"
        if number % 3 == 0:  # killed once more on the way
            convert_apart(folder, number % 7)
        (folder / "bad.txt").unlink(missing_ok=True)
        assert convert_apart(folder) == 0, number
        assert files(folder) == whole, number
        assert (folder / "bad.txt").read_text() == report, number
        number += 1
    sys.stdout.write(f"{number}\n")


if __name__ == "__main__":
    main()
