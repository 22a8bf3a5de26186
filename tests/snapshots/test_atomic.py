import errno
import os
import threading

import pytest

from netcli.errors import SnapshotError
from netcli.snapshots.atomic import atomic_write, check_writable, remove_parts


def test_the_file_is_there_as_a_whole(tmp_path):
    path = tmp_path / "weights"
    atomic_write(str(path), lambda stream: stream.write(b"new"))
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["weights"]


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), MemoryError(), RuntimeError("x")])
def test_a_failed_write_leaves_what_was_there(tmp_path, fault):
    path = tmp_path / "weights"
    path.write_bytes(b"old")

    def write(stream):
        stream.write(b"half of")
        raise fault

    with pytest.raises(type(fault)):
        atomic_write(str(path), write)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["weights"]


def test_a_full_disk_is_told_in_the_systems_words(tmp_path):
    def write(stream):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = str(tmp_path / "weights")
    with pytest.raises(SnapshotError) as caught:
        atomic_write(path, write)
    assert str(caught.value) == f"{path}: can't be written: no space left on device"
    assert os.listdir(tmp_path) == []


def test_a_full_device_in_earnest():
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with pytest.raises(SnapshotError):  # /dev takes no file beside it, or is no place for one
        atomic_write("/dev/full/weights", lambda stream: stream.write(b"x"))


def test_a_pipe_gets_the_bytes_and_stays_one(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    read = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    check_writable(str(path))
    atomic_write(str(path), lambda stream: stream.write(b"new"))
    reader.join()
    assert read == [b"new"]
    assert path.is_fifo()
    assert os.listdir(tmp_path) == ["pipe"]


def test_a_device_without_room_is_told_and_stays(tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    path = tmp_path / "link"
    path.symlink_to("/dev/full")  # so that a device is not what would be lost
    with pytest.raises(SnapshotError) as caught:
        atomic_write(str(path), lambda stream: stream.write(b"x"))
    assert str(caught.value) == f"{path}: can't be written: no space left on device"
    assert path.is_symlink()


def test_what_a_link_leads_to_is_written(tmp_path):
    (tmp_path / "disk").mkdir()
    target = tmp_path / "disk" / "weights"
    target.write_bytes(b"old")
    path = tmp_path / "link"
    path.symlink_to(target)
    check_writable(str(path))
    atomic_write(str(path), lambda stream: stream.write(b"new"))
    assert path.is_symlink()
    assert target.read_bytes() == b"new"
    assert os.listdir(tmp_path / "disk") == ["weights"]


def test_a_missing_folder_is_named(tmp_path):
    path = str(tmp_path / "runs" / "weights")
    with pytest.raises(SnapshotError) as caught:
        atomic_write(path, lambda stream: stream.write(b"x"))
    assert str(caught.value) == f"{path}: can't be written: there is no folder {tmp_path / 'runs'}"


@pytest.mark.parametrize("name", ["runs/weights", "folder", "w" * 255])
def test_what_could_not_be_written_is_known_before(tmp_path, name):
    (tmp_path / "folder").mkdir()
    path = str(tmp_path / name)
    with pytest.raises(SnapshotError) as before:
        check_writable(path)
    with pytest.raises(SnapshotError) as then:
        atomic_write(path, lambda stream: stream.write(b"x"))
    assert str(before.value) == str(then.value)
    assert os.listdir(tmp_path) == ["folder"]


def test_a_name_of_no_letter_is_no_file(tmp_path, monkeypatch):
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    for write in (check_writable, lambda path: atomic_write(path, lambda stream: stream.write(b"x"))):
        with pytest.raises(SnapshotError, match="'': can't be written: no such file or directory"):
            write("")
    assert os.listdir(tmp_path) == ["folder"]


def test_asking_leaves_the_file_as_it_is(tmp_path):
    (tmp_path / "weights").write_bytes(b"old")
    check_writable(str(tmp_path / "weights"))
    check_writable(str(tmp_path / "others"))
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("weights", b"old")]


def test_a_folder_that_may_not_be_written(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    tmp_path.chmod(0o500)
    path = str(tmp_path / "weights")
    with pytest.raises(SnapshotError) as caught:
        atomic_write(path, lambda stream: stream.write(b"x"))
    assert str(caught.value) == f"{path}: can't be written: permission denied"


def test_bytes_reach_the_disk_before_the_name_moves(tmp_path, monkeypatch):
    steps = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, real=real, name=name: (steps.append(name), real(*a))[1])
    atomic_write(str(tmp_path / "weights"), lambda stream: stream.write(b"x"))
    assert steps == ["fsync", "replace", "fsync"]  # the file, the name, the folder


def test_what_a_killed_writer_left_is_removed(tmp_path):
    kept = ["net_iter_1.caffemodel", "other_iter_1.caffemodel.0123abcd.part", "net_iter_notes.part"]
    for name in [*kept, "net_iter_2.caffemodel.0123abcd.part", "net_iter_2.solverstate.89abcdef.part"]:
        (tmp_path / name).write_bytes(b"")
    remove_parts(str(tmp_path / "net_iter_"))
    assert sorted(os.listdir(tmp_path)) == sorted(kept)
    remove_parts(str(tmp_path / "none" / "net_iter_"))
