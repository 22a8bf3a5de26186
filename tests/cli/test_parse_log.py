import csv
import json
from pathlib import Path

import pytest

from training.test_log_parser import OLD, reference


@pytest.fixture(autouse=True)
def log(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    path = tmp_path / "caffe.INFO"
    path.write_text(OLD)
    return path


def test_tables_as_caffes_script_writes_them(netcli):
    wrote = "Wrote out/caffe.INFO.train\nWrote out/caffe.INFO.test\n"
    assert netcli("parse-log", "caffe.INFO", "out") == (0, wrote, "")
    for kind in ("train", "test"):
        expected = reference(OLD, kind.title())
        text = Path(f"out/caffe.INFO.{kind}").read_bytes().decode()
        lines = [",".join(expected[0]), *(",".join(map(str, row.values())) for row in expected)]
        assert text == "".join(line + "\r\n" for line in lines)


def test_the_current_folder_is_the_default_and_what_is_not_written_is_told(netcli, log):
    log.write_text("\n".join(line for line in OLD.splitlines() if "Test" not in line))
    status, out, _ = netcli("parse-log", "caffe.INFO")
    assert (status, out) == (0, "Wrote ./caffe.INFO.train\nNot writing ./caffe.INFO.test; no lines to write\n")
    assert sorted(p.name for p in log.parent.iterdir()) == ["caffe.INFO", "caffe.INFO.train", "out"]


@pytest.mark.parametrize(("given", "delimiter"), [(";", ";"), ("\\t", "\t"), ("\t", "\t")])
def test_another_delimiter(netcli, given, delimiter):
    assert netcli("parse-log", "caffe.INFO", "out", "--delimiter", given)[0] == 0
    with open("out/caffe.INFO.test", newline="") as file:
        first = next(csv.DictReader(file, delimiter=delimiter))
    assert first["accuracy"] == "0.1038"


def test_json(netcli, log):
    status, out, _ = netcli("parse-log", "caffe.INFO", "--json")
    found = json.loads(out)
    assert (status, found["log"]) == (0, "caffe.INFO")
    assert found["train"] == reference(OLD, "Train")
    assert found["test"] == reference(OLD, "Test")
    assert not list(log.parent.glob("*.train"))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ("none out", "none: can't be read: no such file or directory"),
        ("caffe.INFO nowhere", "nowhere: is no folder; the tables need one to be written to"),
        ("caffe.INFO out --delimiter ab", "a delimiter is one character, such as , or ;, and not 'ab'"),
        ("text out", "text: tells of no iteration, so it is no log of a training"),
    ],
)
def test_faults(netcli, tmp_path, arguments, fault):
    (tmp_path / "text").write_text("a text\n")
    assert netcli("parse-log", *arguments.split()) == (2, "", f"netcli: {fault}\n")
    assert not list((tmp_path / "out").iterdir())
