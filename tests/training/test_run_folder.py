import os

import pytest

from netcli.errors import NetcliError
from netcli.training.run_folder import given, next_free


def test_numbers_go_up(tmp_path):
    assert [next_free("net", tmp_path / "runs").path.name for _ in range(3)] == ["net-1", "net-2", "net-3"]
    os.rmdir(tmp_path / "runs" / "net-2")  # a number is not used twice
    assert next_free("net", tmp_path / "runs").path.name == "net-4"
    assert next_free("net-1", tmp_path / "runs").path.name == "net-1-1"


@pytest.mark.parametrize(
    ("name", "folder"), [("VGG ILSVRC 16", "VGG_ILSVRC_16-1"), ("../up", "up-1"), ("a/b", "a_b-1"), ("...", "net-1")]
)
def test_names_of_nets_as_names_of_folders(tmp_path, name, folder):
    assert next_free(name, tmp_path).path == tmp_path / folder


def test_what_is_written(tmp_path):
    folder = given(tmp_path / "deep" / "run")
    folder.write(["netcli", "train", "a b.prototxt"], {"solver.prototxt": "max_iter: 1\n"})
    assert (folder.path / "command.txt").read_text() == "netcli train 'a b.prototxt'\n"
    assert (folder.path / "solver.prototxt").read_text() == "max_iter: 1\n"
    assert given(folder.path).path == folder.path


def test_a_log_that_can_not_be_written_to(tmp_path):
    (tmp_path / "train.log").mkdir()
    with pytest.raises(NetcliError, match="folder can't be written: Is a directory; --run-dir"):
        given(tmp_path).write(["netcli"], {})


def test_a_folder_that_can_not_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    for make in (lambda p: given(p / "run"), lambda p: next_free("net", p)):
        with pytest.raises(NetcliError, match=r"the run's folder can't be written: .*; --run-dir names another"):
            make(tmp_path / "file")
